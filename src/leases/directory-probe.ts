/** Checks whether leases can be written, without leaving a trace. */
import { writeAll } from "../sys/descriptor.ts";
import { failedWith } from "../sys/errno.ts";
import { exists, O, status, withFile } from "../sys/file.ts";
import { LockTimeoutError, lockFile } from "../sys/flock.ts";
import type { LeaseFiles } from "./lease-files.ts";

/** @throws SystemError or ForeignFileError that says why an ADD would fail. */
export function requireUsable(files: LeaseFiles): void {
  requireWritable(files.exist() ? files.path : nearest(files.path));
  const lock = files.at("lock");
  if (!exists(lock)) return;
  try {
    lockFile(lock, 0)[Symbol.dispose]();
  } catch (error) {
    // A lock that another process holds shows that the file system has locks.
    if (!(error instanceof LockTimeoutError)) throw error;
  }
}

/** The longest part of the path that exists: ADD creates the rest. @throws SystemError for a link that leads nowhere */
function nearest(path: string): string {
  if (exists(path)) {
    status(path);
    return path;
  }
  const slash = path.lastIndexOf("/");
  return slash > 0 ? nearest(path.slice(0, slash)) : slash === 0 ? "/" : ".";
}

/** Writes into a file without a name. On a file system that has no such files, only an ADD shows the failure. */
function requireWritable(directory: string): void {
  try {
    withFile(directory, O.TMPFILE | O.RDWR, 0o600, (fd) => writeAll(fd, new Uint8Array(128).fill(1)));
  } catch (error) {
    if (!failedWith(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
  }
}
