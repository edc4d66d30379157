/**
 * The directory of a network's leases, file by file (rules H50–H52, L2): how a lease is written, read and removed.
 * Who may do so when is lease-store.ts's business.
 */
import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { failedWith, SystemError } from "../sys/errno.ts";
import { type FileStatus, readToEnd, status, withFile, writeAll } from "../sys/file.ts";
import * as libc from "../sys/libc.ts";
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
import { type Identity, parseIdentity } from "./netns-record.ts";
import type { LeasePlace } from "./place.ts";

/** An environment variable, and so a container id, has at most 128 KiB (MAX_ARG_STRLEN): larger files are not leases. */
const LARGEST = 256 * 1024;

/** More than any address has. */
const LARGEST_HINT = 64;

/** Names of the attribute, the first that the file system takes. Before Linux 6.6 tmpfs had no user attributes. */
const IDENTITY_ATTRIBUTES = ["user.bridgehead", "trusted.bridgehead"];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A file that holds an address. */
export interface LeaseFile {
  readonly address: IpAddress;
  /** The file's name: mostly, but not necessarily, the address's canonical text. */
  readonly name: string;
  /** Trimmed (rule H53); undefined for what holds its address but cannot be a lease: a directory, a link. */
  readonly content: string | undefined;
  /** As it was before the content was read; undefined for what can't be opened. */
  readonly status: FileStatus | undefined;
  /**
   * Why it may be another program's file, and what to do. Its content names an attachment, which can release it, but is
   * never shown, and proves nothing else: for all others the address is held.
   */
  readonly strangeness?: string;
}

export class LeaseFiles {
  readonly place: LeasePlace;
  readonly path: string;
  /** Takes what is worth a line but no failure. */
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
      // What can't exist is not there: a file's name has at most 255 bytes, a network's may have more.
      if (failedWith(error, "ENOENT", "ENAMETOOLONG")) return false;
      throw error;
    }
  }

  /** The lease in a file; undefined if the file is gone or empty: a lease has an owner (rule L2). */
  read(name: string, address: IpAddress): LeaseFile | undefined {
    try {
      using file = openRegular(this.at(name), libc.O.RDONLY);
      const { fd, status } = file;
      if (status.size > LARGEST) return { address, name, content: undefined, status };
      const content = trimmed(decoder.decode(readUpTo(fd, status.size)));
      const strange = strangeness(file.path, status);
      if (strange !== undefined)
        return { address, name, content: content || undefined, status, strangeness: strange };
      return content === "" ? undefined : { address, name, content, status };
    } catch (error) {
      if (failedWith(error, "ENOENT")) return undefined;
      // EAGAIN: its owner has a lease on it in the sense of fcntl(2).
      if (error instanceof ForeignFileError || failedWith(error, "EACCES", "EAGAIN"))
        return { address, name, content: undefined, status: undefined };
      throw error;
    }
  }

  /** What a lease recorded of its attachment's life; undefined if nothing, or nothing of this owner's. */
  identityOf({ name, content }: LeaseFile): Identity | undefined {
    if (content === undefined) return undefined;
    for (const attribute of IDENTITY_ATTRIBUTES) {
      try {
        const value = new Uint8Array(256);
        using file = openOwn(this.at(name), libc.O.RDONLY);
        const length = libc.fgetxattr(file.fd, attribute, value);
        return parseIdentity(decoder.decode(value.subarray(0, length)), content);
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
      libc.unlink(this.at(name));
    } catch (error) {
      if (!failedWith(error, "ENOENT")) throw error;
    }
  }

  /** Makes the names in the directory durable. A file system that can't (EINVAL) has its own idea of that. */
  sync(): void {
    syncDirectory(this.path);
  }

  /** The last reserved address of a set; undefined if there is no such file or no address in it (rule H51). */
  readHint(set: number): IpAddress | undefined {
    try {
      using file = openOwn(this.at(hintName(set)), libc.O.RDONLY);
      return parseIp(decoder.decode(readToEnd(file.fd, LARGEST_HINT)));
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
  writeHint(set: number, address: IpAddress, { create }: { create: boolean }): boolean {
    const bytes = encoder.encode(formatIp(address));
    try {
      using file = openOwn(
        this.at(hintName(set)),
        create ? libc.O.WRONLY | libc.O.CREAT : libc.O.WRONLY,
        0o600,
      );
      writeAll(file.fd, bytes);
      libc.ftruncate(file.fd, bytes.length);
      if (create) grantOwner(file);
      return true;
    } catch (error) {
      if (!create && failedWith(error, "ENOENT")) return false;
      throw error;
    }
  }
}

/** The first bytes of a file, in one call for a plain one. */
function readUpTo(fd: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let count = -1; length < size && count !== 0; length += count)
    count = libc.read(fd, bytes.subarray(length));
  return bytes.subarray(0, length);
}

const hintName = (set: number): string => `last_reserved_ip.${set}`;

/** Makes the names in a directory durable. A file system that cannot do that is left alone. */
export function syncDirectory(path: string): void {
  withFile(path, libc.O.RDONLY | libc.O.DIRECTORY, 0, (fd) => {
    try {
      libc.fsync(fd);
    } catch (error) {
      if (!failedWith(error, "EINVAL")) throw error;
    }
  });
}

/** Records an identity, if the file system has extended attributes at all. */
export function recordIdentity(fd: number, identity: string): void {
  for (const attribute of IDENTITY_ATTRIBUTES) {
    try {
      libc.fsetxattr(fd, attribute, encoder.encode(identity));
      return;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
}
