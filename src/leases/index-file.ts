/** The file that the lease index is kept in. */
import { SystemError } from "../sys/errno.ts";
import * as libc from "../sys/libc.ts";
import {
  ensureOwnDirectory,
  ForeignFileError,
  grantOwner,
  type OpenFile,
  OWNER_ONLY,
  openOwn,
  requireOwnDirectory,
} from "../sys/own-file.ts";
import { BrokenIndexError, type Bytes } from "./index-image.ts";
import { LeaseIndex } from "./lease-index.ts";
import { indexPath, type LeasePlace, stateDirectory } from "./place.ts";

/** The index in its file. The caller holds the lock of the leases. */
export class IndexFile implements Disposable {
  private readonly directory: string;
  private readonly path: string;
  private readonly log: (line: string) => void;
  private file: OpenFile | undefined;
  private warned = false;

  constructor(place: LeasePlace, log: (line: string) => void) {
    this.log = log;
    this.directory = stateDirectory(place);
    this.path = indexPath(place);
  }

  /** The index that is there. @throws BrokenIndexError when there is none that can be used. */
  open(): LeaseIndex {
    return LeaseIndex.open(
      this.try(() => {
        this.file ??= this.openFile();
        return this.bytes(this.file.fd);
      }),
    );
  }

  /** Puts an image in place of what is there, its header last: a half-written image has none. */
  replace(image: Uint8Array): void {
    this.try(() => {
      this[Symbol.dispose]();
      ensureOwnDirectory(this.directory);
      using file = openOwn(this.path, libc.O.WRONLY | libc.O.CREAT, OWNER_ONLY);
      libc.ftruncate(file.fd, 0);
      const { write } = this.bytes(file.fd);
      write(PIECE, image.subarray(PIECE));
      write(0, image.subarray(0, PIECE));
      grantOwner(file);
    });
  }

  [Symbol.dispose](): void {
    this.file?.[Symbol.dispose]();
    this.file = undefined;
  }

  private openFile(): OpenFile {
    requireOwnDirectory(this.directory);
    return openOwn(this.path, libc.O.RDWR);
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
      if (error instanceof ForeignFileError) this.warn(error);
      else if (!(error instanceof SystemError)) throw error;
      throw new BrokenIndexError(error.message, { cause: error });
    }
  }

  /** Said once in a call: each then reads the whole directory. */
  private warn({ message }: ForeignFileError): void {
    if (!this.warned) this.log(`host-local: going on without the cache of leases: ${message}`);
    this.warned = true;
  }
}

const PIECE = 4096;
