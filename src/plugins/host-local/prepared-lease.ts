/**
 * A lease before it has an address: complete, durable, and without a name. Giving it a name is one step that fails
 * if the name is taken, so a lease appears whole or not at all (rule L2), and its address is nobody else's.
 */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import { grantOwner, status, writeAll } from "../../sys/file.ts";
import * as libc from "../../sys/libc.ts";
import { leftoverPrefix, stateDirectory } from "./config.ts";
import { type LeaseFiles, recordIdentity, syncDirectory } from "./lease-files.ts";

export class PreparedLease implements Disposable {
  readonly content: string;
  private readonly files: LeaseFiles;
  private readonly fd: number;
  /** Path of a working name: only on a file system that has no files without a name. */
  private readonly working: string | undefined;

  private constructor(files: LeaseFiles, content: string, file: OpenFile) {
    this.files = files;
    this.content = content;
    this.fd = file.fd;
    this.working = file.path;
  }

  /** Writes the lease, in a directory that is made if it is missing. @throws SystemError, and nothing is left. */
  static write(files: LeaseFiles, content: string, identity: string | undefined): PreparedLease {
    const file = openUnnamed(files);
    const lease = new PreparedLease(files, content, file);
    try {
      writeAll(file.fd, new TextEncoder().encode(content));
      if (identity !== undefined) recordIdentity(file.fd, identity);
      libc.fsync(file.fd);
      return lease;
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
  }

  /** Gives the lease its address. False if there is a file of that name. */
  publish(address: IpAddress): boolean {
    try {
      libc.linkDescriptor(this.fd, this.files.at(formatIp(address)));
      return true;
    } catch (error) {
      if (failedWith(error, "EEXIST")) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
    if (this.working !== undefined) libc.unlink(this.working);
  }
}

interface OpenFile {
  readonly fd: number;
  readonly path: string | undefined;
}

function openUnnamed(files: LeaseFiles, mayBeMissing = true): OpenFile {
  try {
    return { fd: libc.open(files.path, libc.O.TMPFILE | libc.O.RDWR, 0o600), path: undefined };
  } catch (error) {
    if (mayBeMissing && failedWith(error, "ENOENT")) {
      makeDirectory(files.path);
      return openUnnamed(files, false);
    }
    if (!failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
    const directory = stateDirectory(files.place);
    makeDirectory(files.path);
    makeDirectory(directory);
    const path = `${directory}/${leftoverPrefix(files.place)}${crypto.randomUUID()}`;
    return { fd: libc.open(path, libc.O.RDWR | libc.O.CREAT | libc.O.EXCL, 0o600), path };
  }
}

/** Makes a directory, what is missing above it, and both durable. */
function makeDirectory(path: string): void {
  const slash = path.lastIndexOf("/");
  const above = slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
  const make = () => {
    try {
      libc.mkdir(path, 0o755);
      grantOwner(path, status(path), 0o700);
      syncDirectory(above);
    } catch (error) {
      if (!failedWith(error, "EEXIST")) throw error;
    }
  };
  try {
    make();
  } catch (error) {
    if (!failedWith(error, "ENOENT") || above === "." || above === "/") throw error;
    makeDirectory(above);
    // Once: a file system such as /proc has the directory above and still says that it does not exist.
    make();
  }
}
