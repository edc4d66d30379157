/**
 * The directory of a network's leases, file by file (rules H50–H52, L2): how a lease is read and removed. Who may do so
 * when is the business of lease-store.ts.
 */

import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { read, writeAll } from "../sys/descriptor.ts";
import { failedWith } from "../sys/errno.ts";
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

/** An environment variable, and so a container id, has at most 128 KiB (MAX_ARG_STRLEN): larger files are not leases. */
const LARGEST = 256 * 1024;

/** More than an address or a record has. */
const SHORT = 256;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A file that holds an address. */
export interface LeaseFile {
  readonly address: IpAddress;
  /** The file's name: mostly, but not necessarily, the address's canonical text. */
  readonly name: string;
  /** Trimmed (rule H53); undefined for what holds its address but cannot be a lease: a directory, a link. */
  readonly content: string | undefined;
  /** As it was before the content was read; undefined for what cannot be opened. */
  readonly status: FileStatus | undefined;
  /**
   * Why it may be another program's file, and what to do. Its content names an attachment, which can release it, but is
   * never shown, and proves nothing else: for all others the address is held.
   */
  readonly strangeness: string | undefined;
}

export class LeaseFiles {
  readonly place: LeasePlace;
  readonly path: string;
  /** Takes what is worth a line but is not a failure. */
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
   * Whether there is a directory at all: without one there are no leases.
   * @throws ForeignFileError when something else is there.
   */
  exist(): boolean {
    try {
      requireDirectory(this.path, status(this.path));
      return true;
    } catch (error) {
      // A file's name has at most 255 bytes, a network's may have more: its directory cannot exist.
      if (failedWith(error, "ENOENT", "ENAMETOOLONG")) return false;
      throw error;
    }
  }

  /** The lease in a file; undefined if the file is gone or empty: a lease names an attachment (rule L2). */
  read(name: string, address: IpAddress): LeaseFile | undefined {
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
        }
      }
    } catch (error) {
      if (failedWith(error, "ENOENT")) return undefined;
      // EAGAIN: the file's owner has a lease on it in the sense of fcntl(2).
      if (!(error instanceof ForeignFileError) && !failedWith(error, "EACCES", "EAGAIN")) throw error;
    }
    return { address, name, content, status: found, strangeness: strange };
  }

  /** What a lease recorded of its attachment's namespace; undefined if nothing, or nothing for this content. */
  recordOf({ name, content }: LeaseFile): NetnsRecord | undefined {
    if (content === undefined) return undefined;
    for (const attribute of RECORD_ATTRIBUTES) {
      try {
        const value = new Uint8Array(SHORT);
        using file = openOwn(this.at(name), O.RDONLY);
        const length = fgetxattr(file.fd, attribute, value);
        return parseRecord(decoder.decode(value.subarray(0, length)), content);
      } catch (error) {
        if (!isFileFailure(error)) throw error;
        if (!failedWith(error, "EOPNOTSUPP")) return undefined;
      }
    }
    return undefined;
  }

  /** Removes a lease; nothing to do if it is gone. */
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

  /** The last reserved address of a set; undefined if there is no such file or no address in it (rule H51). */
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
   * Notes the last reserved address of a set. Overwrites in place: truncating first would make ext4 write out at
   * once, and a torn hint is only a hint (rule L3). False if there is no such file and it may not be made.
   * @throws ForeignFileError when what is there is not a hint of ours; SystemError.
   */
  writeHint(set: number, address: IpAddress, mayMake: boolean): boolean {
    const bytes = new TextEncoder().encode(formatIp(address));
    const flags = mayMake ? O.WRONLY | O.CREAT : O.WRONLY;
    try {
      using file = openOwn(this.hint(set), flags, 0o600);
      writeAll(file.fd, bytes);
      ftruncate(file.fd, bytes.length);
      if (mayMake) grantOwner(file);
      return true;
    } catch (error) {
      if (!mayMake && failedWith(error, "ENOENT")) return false;
      throw error;
    }
  }

  private hint(set: number): string {
    return this.at(`last_reserved_ip.${set}`);
  }
}

/** The first bytes of a file, in one call for a plain one. */
export function readUpTo(fd: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let count = -1; length < size && count !== 0; length += count)
    count = read(fd, length === 0 ? bytes : bytes.subarray(length));
  return bytes.subarray(0, length);
}

/** Makes the names in a directory durable. A file system that cannot (EINVAL) has its own idea of that. */
export function syncDirectory(path: string): void {
  withFile(path, O.RDONLY | O.DIRECTORY, 0, (fd) => {
    try {
      fsync(fd);
    } catch (error) {
      if (!failedWith(error, "EINVAL")) throw error;
    }
  });
}
