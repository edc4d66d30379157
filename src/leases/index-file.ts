/** Reads and writes the file of the lease index, under the lock of the leases. A failure here only costs time. */

import { SystemError, unlessFailed } from "../sys/errno.ts";
import { ftruncate, O, pread, pwrite } from "../sys/file.ts";
import {
  ensureOwnDirectory,
  ForeignFileError,
  grantOwner,
  type OpenFile,
  OWNER_ONLY,
  openOwn,
  requireOwnDirectory,
} from "../sys/own-file.ts";
import { LeaseIndex, type ReadIndex } from "./lease-index.ts";
import { indexPath, type LeasePlace, stateDirectory } from "./place.ts";

/** Bytes of a million leases. With more of them no index is kept: each command reads the directory. */
const LARGEST = 65 * 1024 * 1024;

export class IndexFile implements Disposable {
  private readonly place: LeasePlace;
  private readonly log: (line: string) => void;
  private file: OpenFile | undefined;
  private isForeign = false;

  constructor(place: LeasePlace, log: (line: string) => void) {
    this.place = place;
    this.log = log;
  }

  /** The index in the file; undefined if there is none that can be used in this boot. */
  read(boot: string): LeaseIndex | undefined {
    try {
      requireOwnDirectory(stateDirectory(this.place));
      this.file = openOwn(indexPath(this.place), O.RDWR);
      const { fd, status } = this.file;
      // What cannot be read has a wrong checksum too.
      const read: ReadIndex = (words, offset) => void unlessFailed(() => pread(fd, words, offset));
      return status.size > LARGEST ? undefined : LeaseIndex.open(read, status.size, boot);
    } catch (error) {
      this.explain(error);
      return undefined;
    }
  }

  /** Writes what has changed. If that is interrupted, the checksums do not match, and neither does the directory's state. */
  write(index: LeaseIndex, boot: string, state: string): void {
    if (index.size > LARGEST || this.isForeign) return;
    try {
      if (this.file === undefined) {
        ensureOwnDirectory(stateDirectory(this.place));
        this.file = openOwn(indexPath(this.place), O.RDWR | O.CREAT, OWNER_ONLY);
        grantOwner(this.file);
      }
      const { fd, status } = this.file;
      // What is written only in part has a wrong checksum.
      index.seal(boot, state, (words, offset) => void pwrite(fd, words, offset));
      if (status.size > index.size) ftruncate(fd, index.size);
    } catch (error) {
      this.explain(error);
    }
  }

  [Symbol.dispose](): void {
    this.file?.[Symbol.dispose]();
  }

  /** Logs a foreign file in the index's place, since each call then reads the whole directory. */
  private explain(error: unknown): void {
    if (error instanceof SystemError) return;
    if (!(error instanceof ForeignFileError)) throw error;
    this.isForeign = true;
    this.log(`host-local: going on without the cache of leases: ${error.message}`);
  }
}
