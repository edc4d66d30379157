/**
 * The directory of a network's leases, file by file (rules H50–H52): how a lease is written, read and removed.
 * Who may do so when is lease-store.ts's business.
 */
import { formatIp, type IpAddress, parseIp } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import {
  isDirectory,
  isRegular,
  listDirectory,
  readToEnd,
  status,
  statusOf,
  withFile,
  writeAll,
} from "../../sys/file.ts";
import * as libc from "../../sys/libc.ts";
import type { LeasePlace } from "./config.ts";

/** An environment variable, and so a container id, has at most 128 KiB (MAX_ARG_STRLEN): larger files are no leases. */
const LARGEST = 256 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A file that holds an address. */
export interface LeaseFile {
  readonly address: IpAddress;
  /** The file's name: mostly, but not necessarily, the address's canonical text. */
  readonly name: string;
  /** Trimmed (rule H53); undefined for what holds its address but can be nobody's lease: a directory, a link. */
  readonly content: string | undefined;
}

/** A complete, durable lease without a name. Its descriptor is closed with it, and with that it is gone. */
export class UnnamedLease implements Disposable {
  readonly fd: number;

  constructor(directory: string, content: string) {
    this.fd = libc.open(directory, libc.O.TMPFILE | libc.O.RDWR, 0o600);
    try {
      writeAll(this.fd, encoder.encode(content));
      libc.fsync(this.fd);
    } catch (error) {
      libc.close(this.fd);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }
}

export class LeaseFiles {
  readonly path: string;

  constructor({ dataDir, network }: LeasePlace) {
    this.path = `${dataDir}/${network}`;
  }

  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Makes the directory and what is missing above it. */
  create(): void {
    makeDirectory(this.path);
  }

  /** Whether there is a directory at all: without one nobody holds a lease. */
  exist(): boolean {
    try {
      return isDirectory(status(this.path));
    } catch (error) {
      if (failedWith(error, "ENOENT")) return false;
      throw error;
    }
  }

  /** Gives the lease its address. False if a file of that name is there. */
  publish(lease: UnnamedLease, address: IpAddress): boolean {
    const path = this.at(formatIp(address));
    try {
      libc.linkDescriptor(lease.fd, path);
      return true;
    } catch (error) {
      if (failedWith(error, "EEXIST")) return false;
      throw error;
    }
  }

  /** All files that hold an address, in the order of the file system. */
  *all(): Generator<LeaseFile> {
    for (const name of listDirectory(this.path)) {
      const address = parseIp(name);
      if (address === undefined) continue;
      const lease = this.read(name, address);
      if (lease !== undefined) yield lease;
    }
  }

  /** The lease in a file; undefined if the file is gone or empty: a lease has an owner (rule L2). */
  read(name: string, address: IpAddress): LeaseFile | undefined {
    try {
      // O_NONBLOCK: a fifo must not stop the plugin.
      const flags = libc.O.RDONLY | libc.O.NOFOLLOW | libc.O.NONBLOCK;
      return withFile(this.at(name), flags, 0, (fd) => {
        const found = statusOf(fd);
        if (!isRegular(found) || found.size > LARGEST) return { address, name, content: undefined };
        const content = decoder.decode(readToEnd(fd)).trim();
        return content === "" ? undefined : { address, name, content };
      });
    } catch (error) {
      if (failedWith(error, "ENOENT")) return undefined;
      if (failedWith(error, "ELOOP", "ENXIO", "EACCES")) return { address, name, content: undefined };
      throw error;
    }
  }

  /** Removes a lease; nothing to do if it is gone. */
  remove(name: string): void {
    try {
      libc.unlink(this.at(name));
    } catch (error) {
      if (!failedWith(error, "ENOENT")) throw error;
    }
  }

  /** Makes the names in the directory durable. */
  sync(): void {
    withFile(this.path, libc.O.RDONLY | libc.O.DIRECTORY, 0, libc.fsync);
  }

  /** The last reserved address of a set; undefined if there is no such file or no address in it (rule H51). */
  readHint(set: number): IpAddress | undefined {
    try {
      return withFile(this.at(hintName(set)), libc.O.RDONLY | libc.O.NONBLOCK, 0, (fd) =>
        parseIp(decoder.decode(readToEnd(fd))),
      );
    } catch (error) {
      if (failedWith(error, "ENOENT", "EISDIR", "ENXIO", "EACCES")) return undefined;
      throw error;
    }
  }

  /**
   * Notes the last reserved address of a set. Overwrites in place: truncating first would make ext4 write out at
   * once, and a torn hint is only a hint (rule L3).
   */
  writeHint(set: number, address: IpAddress): void {
    const bytes = encoder.encode(formatIp(address));
    withFile(this.at(hintName(set)), libc.O.WRONLY | libc.O.CREAT, 0o600, (fd) => {
      writeAll(fd, bytes);
      libc.ftruncate(fd, bytes.length);
    });
  }
}

const hintName = (set: number): string => `last_reserved_ip.${set}`;

function makeDirectory(path: string): void {
  try {
    libc.mkdir(path, 0o755);
  } catch (error) {
    if (failedWith(error, "EEXIST")) return;
    if (!failedWith(error, "ENOENT")) throw error;
    const slash = path.lastIndexOf("/");
    if (slash <= 0) throw error;
    makeDirectory(path.slice(0, slash));
    makeDirectory(path);
  }
}
