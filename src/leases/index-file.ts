/** Reads and writes the file of the lease index, under the lock of the leases. A failure here only costs time. */

import { SystemError } from "../sys/errno.ts";
import { ftruncate, O, pwrite } from "../sys/file.ts";
import {
  ensureOwnDirectory,
  ForeignFileError,
  grantOwner,
  type OpenFile,
  OWNER_ONLY,
  openOwn,
  requireOwnDirectory,
} from "../sys/own-file.ts";
import { readUpTo } from "./lease-files.ts";
import { LeaseIndex } from "./lease-index.ts";
import { indexPath, type LeasePlace, stateDirectory } from "./place.ts";

/** Bytes of 1.6 million leases. With more of them no index is kept: each command reads the directory. */
const LARGEST = 64 * 1024 * 1024;

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
      return status.size > LARGEST ? undefined : LeaseIndex.open(readUpTo(fd, status.size), boot);
    } catch (error) {
      this.explain(error);
      return undefined;
    }
  }

  /** Overwrites the file. An index that is written only in part has a wrong checksum. */
  write(bytes: Uint8Array): void {
    if (bytes.length > LARGEST || this.isForeign) return;
    try {
      if (this.file === undefined) {
        ensureOwnDirectory(stateDirectory(this.place));
        this.file = openOwn(indexPath(this.place), O.RDWR | O.CREAT, OWNER_ONLY);
        grantOwner(this.file);
      }
      const { fd, status } = this.file;
      for (let done = 0; done < bytes.length; ) done += pwrite(fd, bytes.subarray(done), done);
      if (status.size > bytes.length) ftruncate(fd, bytes.length);
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
