/** Whether leases could be written, found out without leaving a trace. */
import { writeAll } from "../sys/descriptor.ts";
import { failedWith } from "../sys/errno.ts";
import { O, status, withFile } from "../sys/file.ts";
import { LockTimeoutError, lockFile } from "../sys/flock.ts";
import type { LeaseFiles } from "./lease-files.ts";

/** @throws SystemError or ForeignFileError saying what is in the way of an ADD. */
export function requireUsable(files: LeaseFiles): void {
  requireWritable(files.exist() ? files.path : nearest(files.path));
  const lock = files.at("lock");
  if (!exists(lock)) return;
  try {
    lockFile(lock, 0)[Symbol.dispose]();
  } catch (error) {
    // Another process may hold the lock at the moment; there must be locks.
    if (!(error instanceof LockTimeoutError)) throw error;
  }
}

/** The path, or what of it exists: ADD makes the rest, but for what a link names. @throws SystemError for such a link */
function nearest(path: string): string {
  if (exists(path)) {
    status(path);
    return path;
  }
  const slash = path.lastIndexOf("/");
  return slash > 0 ? nearest(path.slice(0, slash)) : slash === 0 ? "/" : ".";
}

function exists(path: string): boolean {
  try {
    status(path, { followLinks: false });
    return true;
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}

/** Writes into a file that never has a name. Where the file system has none such, only an ADD can tell. */
function requireWritable(directory: string): void {
  try {
    withFile(directory, O.TMPFILE | O.RDWR, 0o600, (fd) => writeAll(fd, new Uint8Array(128).fill(1)));
  } catch (error) {
    if (!failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
  }
}
