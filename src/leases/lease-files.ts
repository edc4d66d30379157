/**
 * Reads and removes the files in the directory of a network's leases (rules H50–H52, L2). lease-store.ts does the
 * locking.
 */

import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { read, writeAll } from "../sys/descriptor.ts";
import { EOPNOTSUPP, failedWith } from "../sys/errno.ts";
import { type FileStatus, fgetxattr, fsync, ftruncate, O, status, unlink, withFile } from "../sys/file.ts";
import {
  ForeignFileError,
  grantOwner,
  isFileFailure,
  openOwn,
  openRegular,
  requireDirectory,
  strangeness,
} from "../sys/own-file.ts";
import { trimmed } from "./lease.ts";
import { type NetnsRecord, parseRecord, RECORD_ATTRIBUTES } from "./netns-record.ts";
import type { LeasePlace } from "./place.ts";

/** Larger files are not leases: an environment variable, and so a container id, has at most 128 KiB. */
const LARGEST = 256 * 1024;

/** Bytes; an address and a record are shorter. */
const SHORT = 256;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A file that holds an address. */
export interface LeaseFile {
  readonly address: IpAddress;
  /** The file's name: usually, but not always, the address's canonical text. */
  readonly name: string;
  /** Trimmed (rule H53); undefined for a directory or a link, which is not a lease but holds its address. */
  readonly content: string | undefined;
  /** As it was before the content was read; undefined if the file cannot be opened. */
  readonly status: FileStatus | undefined;
  /**
   * Why the file may be another program's, and what to do. The attachment that its content names can release it; for
   * all others the address is held. The content is never shown.
   */
  readonly strangeness: string | undefined;
}

export class LeaseFiles {
  readonly place: LeasePlace;
  readonly path: string;
  /** Logs what is not a failure. */
  readonly log: (line: string) => void;

  constructor(place: LeasePlace, log: (line: string) => void) {
    this.place = place;
    this.log = log;
    this.path = `${place.dataDir}/${place.network}`;
  }

  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /**
   * Whether the directory exists: without it there are no leases.
   * @throws ForeignFileError if the path is not a directory.
   */
  exist(): boolean {
    try {
      requireDirectory(this.path, status(this.path));
      return true;
    } catch (error) {
      // A network's name may be longer than the 255 bytes of a file's name: then its directory cannot exist.
      if (failedWith(error, "ENOENT", "ENAMETOOLONG")) return false;
      throw error;
    }
  }

  /**
   * The lease in a file; undefined if the file is gone, or is empty and so names no attachment (rule L2). `inside` gets the
   * content while the file is open, so that a reader of all leases opens each only once.
   */
  read(
    name: string,
    address: IpAddress,
    inside?: (fd: number, content: string) => void,
  ): LeaseFile | undefined {
    let found: FileStatus | undefined;
    let content: string | undefined;
    let strange: string | undefined;
    try {
      using file = openRegular(this.at(name), O.RDONLY);
      found = file.status;
      if (found.size <= LARGEST) {
        strange = strangeness(file.path, found);
        content = trimmed(decoder.decode(readUpTo(file.fd, found.size)));
        if (content === "") {
          if (strange === undefined) return undefined;
          content = undefined;
        } else inside?.(file.fd, content);
      }
    } catch (error) {
      if (failedWith(error, "ENOENT")) return undefined;
      // EAGAIN: another process has a lease on the file in the sense of fcntl(2).
      if (!(error instanceof ForeignFileError) && !failedWith(error, "EACCES", "EAGAIN")) throw error;
    }
    return { address, name, content, status: found, strangeness: strange };
  }

  /** The netns record of a lease; undefined if it has none, or one for another content. */
  recordOf({ name, content }: LeaseFile): NetnsRecord | undefined {
    if (content === undefined) return undefined;
    try {
      using file = openOwn(this.at(name), O.RDONLY);
      return recordIn(file.fd, content);
    } catch (error) {
      if (isFileFailure(error)) return undefined;
      throw error;
    }
  }

  /** Removes a lease, if it still exists. */
  remove(name: string): void {
    try {
      unlink(this.at(name));
    } catch (error) {
      if (!failedWith(error, "ENOENT")) throw error;
    }
  }

  /** Makes the names in the directory durable. */
  sync(): void {
    syncDirectory(this.path);
  }

  /** The last reserved address of a set; undefined if its file is missing or does not contain an address (rule H51). */
  readHint(set: number): IpAddress | undefined {
    try {
      using file = openOwn(this.hint(set), O.RDONLY);
      return parseIp(decoder.decode(readUpTo(file.fd, SHORT)));
    } catch (error) {
      if (isFileFailure(error)) return undefined;
      throw error;
    }
  }

  /**
   * Writes the last reserved address of a set. The file is overwritten in place: truncating it first would make ext4
   * write to the disk at once, and a torn hint does no harm (rule L3). False if it is missing and may not be created.
   * @throws ForeignFileError if the file is not a hint of ours; SystemError.
   */
  writeHint(set: number, address: IpAddress, mayCreate: boolean): boolean {
    const bytes = new TextEncoder().encode(formatIp(address));
    const flags = mayCreate ? O.WRONLY | O.CREAT : O.WRONLY;
    try {
      using file = openOwn(this.hint(set), flags, 0o600);
      writeAll(file.fd, bytes);
      ftruncate(file.fd, bytes.length);
      if (mayCreate) grantOwner(file);
      return true;
    } catch (error) {
      if (!mayCreate && failedWith(error, "ENOENT")) return false;
      throw error;
    }
  }

  private hint(set: number): string {
    return this.at(`last_reserved_ip.${set}`);
  }
}

/** The netns record of an open lease with this content; undefined if it has none, or one for another content. */
export function recordIn(fd: number, content: string): NetnsRecord | undefined {
  const value = new Uint8Array(SHORT);
  for (const attribute of RECORD_ATTRIBUTES) {
    const length = fgetxattr(fd, attribute, value);
    if (length >= 0) return parseRecord(decoder.decode(value.subarray(0, length)), content);
    if (length !== -EOPNOTSUPP) return undefined;
  }
  return undefined;
}

/** The first `size` bytes of a file, or all if it has fewer. */
export function readUpTo(fd: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let count = -1; length < size && count !== 0; length += count)
    count = read(fd, length === 0 ? bytes : bytes.subarray(length));
  return bytes.subarray(0, length);
}

/** Makes the names in a directory durable. EINVAL is ignored: such a file system has no fsync(2) of directories. */
export function syncDirectory(path: string): void {
  withFile(path, O.RDONLY | O.DIRECTORY, 0, (fd) => {
    try {
      fsync(fd);
    } catch (error) {
      if (!failedWith(error, "EINVAL")) throw error;
    }
  });
}
