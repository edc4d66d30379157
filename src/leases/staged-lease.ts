/**
 * A lease before it has an address: complete, durable, and without a name. Giving it a name is one step that fails
 * if the name is taken, so a lease appears whole or not at all (rule L2), and no other attachment has its address.
 */
import { formatIp, type IpAddress } from "../net/ip.ts";
import { close, writeAll } from "../sys/descriptor.ts";
import { failedWith, unlessFailed } from "../sys/errno.ts";
import {
  type FileStatus,
  fsetxattr,
  fsync,
  linkDescriptor,
  mkdir,
  O,
  open,
  status,
  statusOf,
  unlink,
} from "../sys/file.ts";
import { ensureOwnDirectory, grantOwner, OWNER_ONLY, setDirectoryMode } from "../sys/own-file.ts";
import { randomBytes } from "../sys/random.ts";
import { type LeaseFiles, syncDirectory } from "./lease-files.ts";
import { RECORD_ATTRIBUTES } from "./netns-record.ts";
import { leftoverPrefix, stateDirectory } from "./place.ts";

export class StagedLease implements Disposable {
  readonly content: string;
  private readonly files: LeaseFiles;
  private fd = -1;
  /** Path of a working name: only on a file system that has no files without a name, until there is a better one. */
  private working: string | undefined;

  /** Writes the lease, in a directory that is made if it is missing. @throws SystemError, and nothing is left. */
  constructor(files: LeaseFiles, content: string, record: string | undefined) {
    this.files = files;
    this.content = content;
    this.open();
    try {
      const encoder = new TextEncoder();
      writeAll(this.fd, encoder.encode(content));
      if (record !== undefined) this.setRecord(encoder.encode(record));
      fsync(this.fd);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Gives the lease its address. False if there is a file of that name. */
  publish(address: IpAddress): boolean {
    try {
      linkDescriptor(this.fd, this.files.at(formatIp(address)));
    } catch (error) {
      if (failedWith(error, "EEXIST")) return false;
      throw error;
    }
    this.dropWorkingName();
    return true;
  }

  /** The published file, which its owner can read and write whatever the umask. Undefined if it cannot be looked at. */
  status(): FileStatus | undefined {
    const { fd } = this;
    return unlessFailed(() => {
      const found = statusOf(fd);
      return grantOwner({ fd, status: found }) ? statusOf(fd) : found;
    });
  }

  [Symbol.dispose](): void {
    close(this.fd);
    this.dropWorkingName();
  }

  private open(): void {
    const { path, place } = this.files;
    for (let isThere = false; ; isThere = true) {
      try {
        this.fd = open(path, O.TMPFILE | O.RDWR, OWNER_ONLY);
        return;
      } catch (error) {
        // What is there instead of the directory is named.
        if (failedWith(error, "ENOTDIR")) this.files.exist();
        const hasUnnamed = !failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL");
        if (hasUnnamed && (isThere || !failedWith(error, "ENOENT"))) throw error;
        makeDirectory(path);
        if (hasUnnamed) continue;
        ensureOwnDirectory(stateDirectory(place));
        const working = `${stateDirectory(place)}/${leftoverPrefix(place)}${randomBytes(16).toHex()}`;
        this.fd = open(working, O.RDWR | O.CREAT | O.EXCL, OWNER_ONLY);
        this.working = working;
        return;
      }
    }
  }

  /** If the file system has extended attributes at all. */
  private setRecord(record: Uint8Array): void {
    for (const attribute of RECORD_ATTRIBUTES) {
      const isSet = unlessFailed(() => {
        fsetxattr(this.fd, attribute, record);
        return true;
      });
      if (isSet === true) return;
    }
  }

  /** A lease with two names would not be trusted (LeaseFile.strangeness). What cannot be removed, GC removes. */
  private dropWorkingName(): void {
    const { working } = this;
    if (working !== undefined) unlessFailed(() => unlink(working));
    this.working = undefined;
  }
}

/** Makes a directory, what is missing above it, and both durable. */
function makeDirectory(path: string): void {
  const slash = path.lastIndexOf("/");
  const above = slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
  // Twice at most: a file system such as /proc has the directory above and still says that it does not exist.
  for (let isThere = false; ; isThere = true) {
    try {
      mkdir(path, 0o755);
      const { mode } = status(path, { followLinks: false });
      if ((mode & 0o700) !== 0o700) setDirectoryMode(path, (mode & 0o7777) | 0o700);
      syncDirectory(above);
      return;
    } catch (error) {
      if (failedWith(error, "EEXIST")) return;
      if (isThere || !failedWith(error, "ENOENT") || above === "." || above === "/") throw error;
      makeDirectory(above);
    }
  }
}
