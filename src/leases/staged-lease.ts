/**
 * A lease before it has an address: complete, durable, and without a name. Giving it a name is one step that fails
 * if the name is taken, so a lease appears whole or not at all (rule L2), and no other attachment has its address.
 */
import { formatIp, type IpAddress } from "../net/ip.ts";
import { failedWith, SystemError } from "../sys/errno.ts";
import { type FileStatus, status, statusOf, writeAll } from "../sys/file.ts";
import * as libc from "../sys/libc.ts";
import { ensureOwnDirectory, grantOwner, OWNER_ONLY, setDirectoryMode } from "../sys/own-file.ts";
import { type LeaseFiles, recordIdentity, syncDirectory } from "./lease-files.ts";
import { leftoverPrefix, stateDirectory } from "./place.ts";

export class PreparedLease implements Disposable {
  readonly content: string;
  private readonly files: LeaseFiles;
  private readonly fd: number;
  /** Path of a working name: only on a file system that has no files without a name, until there is a better one. */
  private working: string | undefined;

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
    } catch (error) {
      if (failedWith(error, "EEXIST")) return false;
      throw error;
    }
    this.dropWorkingName();
    return true;
  }

  /** The published file, which its owner can read and write whatever the umask. */
  status(): FileStatus {
    const found = statusOf(this.fd);
    return grantOwner({ fd: this.fd, status: found }) ? statusOf(this.fd) : found;
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
    this.dropWorkingName();
  }

  /** A lease with two names would not be trusted (LeaseFile.strangeness). What can't be removed, GC removes. */
  private dropWorkingName(): void {
    try {
      if (this.working !== undefined) libc.unlink(this.working);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    this.working = undefined;
  }
}

interface OpenFile {
  readonly fd: number;
  readonly path: string | undefined;
}

function openUnnamed(files: LeaseFiles, mayBeMissing = true): OpenFile {
  try {
    return { fd: libc.open(files.path, libc.O.TMPFILE | libc.O.RDWR, OWNER_ONLY), path: undefined };
  } catch (error) {
    // What is there instead of the directory is named.
    if (failedWith(error, "ENOTDIR")) files.exist();
    if (mayBeMissing && failedWith(error, "ENOENT")) {
      makeDirectory(files.path);
      return openUnnamed(files, false);
    }
    if (!failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
    const directory = stateDirectory(files.place);
    makeDirectory(files.path);
    ensureOwnDirectory(directory);
    const path = `${directory}/${leftoverPrefix(files.place)}${crypto.randomUUID()}`;
    return { fd: libc.open(path, libc.O.RDWR | libc.O.CREAT | libc.O.EXCL, OWNER_ONLY), path };
  }
}

/** Makes a directory, what is missing above it, and both durable. */
function makeDirectory(path: string): void {
  const slash = path.lastIndexOf("/");
  const above = slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
  const make = () => {
    try {
      libc.mkdir(path, 0o755);
      const { mode } = status(path, { followLinks: false });
      if ((mode & 0o700) !== 0o700) setDirectoryMode(path, (mode & 0o7777) | 0o700);
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
