/**
 * A staged lease: a file that is complete and durable, but has no name and so no address yet. Giving it a name is one
 * step, which fails if the name is taken. So a lease appears whole or not at all (L2), and no address is given twice.
 */
import { formatIp, type IpAddress } from "../net/ip.ts";
import { close, writeAll } from "../sys/descriptor.ts";
import { failedWith, unlessFailed } from "../sys/errno.ts";
import { type FileStatus, fsetxattr, fsync, linkDescriptor, O, open, statusOf, unlink } from "../sys/file.ts";
import { ensureOwnDirectory, grantOwner, makeDirectories, OWNER_ONLY } from "../sys/own-file.ts";
import { randomBytes } from "../sys/random.ts";
import { type LeaseFiles, syncDirectory } from "./lease-files.ts";
import { RECORD_ATTRIBUTES } from "./netns-record.ts";
import { stateDirectory, workingPrefix } from "./place.ts";

export class StagedLease implements Disposable {
  readonly content: string;
  private readonly files: LeaseFiles;
  private fd = -1;
  /** Path of the working name, which only a file system without unnamed files needs, until the lease is published. */
  private working: string | undefined;

  /** Writes the lease, and creates its directory if that is missing. @throws SystemError; then no file is left */
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

  /** Gives the lease its address. False if a file of that name exists. */
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

  /** The published file's status, with the permissions that the umask removed. Undefined if fstat(2) fails. */
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
        // Throws an error that names what is there instead of the directory.
        if (failedWith(error, "ENOTDIR")) this.files.exist();
        const hasUnnamed = !failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL");
        if (hasUnnamed && (isThere || !failedWith(error, "ENOENT"))) throw error;
        makeDirectories(path, 0o755, syncDirectory);
        if (hasUnnamed) continue;
        ensureOwnDirectory(stateDirectory(place));
        const working = `${stateDirectory(place)}/${workingPrefix(place)}${randomBytes(16).toHex()}`;
        this.fd = open(working, O.RDWR | O.CREAT | O.EXCL, OWNER_ONLY);
        this.working = working;
        return;
      }
    }
  }

  /** Does nothing on a file system without extended attributes. */
  private setRecord(record: Uint8Array): void {
    for (const attribute of RECORD_ATTRIBUTES) {
      const isSet = unlessFailed(() => {
        fsetxattr(this.fd, attribute, record);
        return true;
      });
      if (isSet === true) return;
    }
  }

  /** A lease with two names would be strange (LeaseFile.strangeness). If the removal fails, GC removes the name. */
  private dropWorkingName(): void {
    const { working } = this;
    if (working !== undefined) unlessFailed(() => unlink(working));
    this.working = undefined;
  }
}
