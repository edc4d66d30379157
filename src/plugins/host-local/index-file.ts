/** The file that the lease index is kept in. */
import { failedWith, SystemError } from "../../sys/errno.ts";
import { grantOwner, isDirectory, status, statusOf, withFile } from "../../sys/file.ts";
import * as libc from "../../sys/libc.ts";
import { indexPath, type LeasePlace, stateDirectory } from "./config.ts";
import { BrokenIndexError, type Bytes } from "./index-image.ts";
import { LeaseIndex } from "./lease-index.ts";

/** The index in its file. The caller holds the lock of the leases. */
export class IndexFile implements Disposable {
  private readonly directory: string;
  private readonly path: string;
  private fd: number | undefined;

  constructor(place: LeasePlace) {
    this.directory = stateDirectory(place);
    this.path = indexPath(place);
  }

  /** The index that is there. @throws BrokenIndexError when there is none that can be used. */
  open(): LeaseIndex {
    return LeaseIndex.open(
      this.try(() => {
        this.fd ??= libc.open(this.path, libc.O.RDWR | libc.O.NOFOLLOW);
        return this.bytes(this.fd);
      }),
    );
  }

  /** Puts an image in place of what is there, its header last: a half-written image has none. */
  replace(image: Uint8Array): void {
    this.try(() => {
      this[Symbol.dispose]();
      makeDirectory(this.directory);
      withFile(this.path, libc.O.WRONLY | libc.O.CREAT | libc.O.NOFOLLOW, 0o600, (fd) => {
        libc.ftruncate(fd, 0);
        const { write } = this.bytes(fd);
        write(PIECE, image.subarray(PIECE));
        write(0, image.subarray(0, PIECE));
        grantOwner(this.path, statusOf(fd), 0o600);
      });
    });
  }

  [Symbol.dispose](): void {
    if (this.fd !== undefined) libc.close(this.fd);
    this.fd = undefined;
  }

  private bytes(fd: number): Bytes {
    return {
      read: (offset, length) => {
        const bytes = new Uint8Array(length);
        const count = this.try(() => libc.pread(fd, bytes, offset));
        if (count < length) throw new BrokenIndexError("the file ends early");
        return bytes;
      },
      write: (offset, bytes) => {
        for (let done = 0; done < bytes.length; ) {
          done += this.try(() => libc.pwrite(fd, bytes.subarray(done), offset + done));
        }
      },
    };
  }

  private try<T>(use: () => T): T {
    try {
      return use();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw new BrokenIndexError(error.message, { cause: error });
    }
  }
}

const PIECE = 4096;

function makeDirectory(path: string): void {
  try {
    libc.mkdir(path, 0o700);
    grantOwner(path, status(path), 0o700);
  } catch (error) {
    if (!failedWith(error, "EEXIST")) throw error;
    if (!isDirectory(status(path, { followLinks: false })))
      throw new BrokenIndexError(`${path} is no directory: behind a link would be files of others`);
  }
}
