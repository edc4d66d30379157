/**
 * Opens our own files safely. Something else may be in their place: a link, a fifo, a device, a hard link to another
 * program's file, a file of another user. The file is checked before anything is read or written, and opening never
 * blocks.
 */

import { close } from "./descriptor.ts";
import { failedWith, SystemError, unlessFailed } from "./errno.ts";
import {
  chmod,
  type FileStatus,
  isDirectory,
  isRegular,
  mkdir,
  O,
  open,
  status,
  statusOf,
  withFile,
} from "./file.ts";
import { userId } from "./user.ts";

/** Mode of a file that only its owner can open. */
export const OWNER_ONLY = 0o600;

/** Something foreign is in the place of our file or directory. The message never shows its content. */
export class ForeignFileError extends Error {
  override readonly name = "ForeignFileError";

  /** `state` is what was found and the remedy, as in "is a fifo: remove it". */
  constructor(path: string, state: string) {
    super(`${JSON.stringify(path)} ${state}`);
  }
}

/** Whether a file or directory could not be used: a system call failed, or something foreign is in its place. */
export const isFileFailure = (error: unknown): error is SystemError | ForeignFileError =>
  error instanceof SystemError || error instanceof ForeignFileError;

/** An open file, and its status right after it was opened. */
export class OpenFile implements Disposable {
  readonly path: string;
  readonly fd: number;
  readonly status: FileStatus;

  constructor(path: string, fd: number, status: FileStatus) {
    this.path = path;
    this.fd = fd;
    this.status = status;
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}

/**
 * Opens the regular file at `path`, of any owner. `flags` and `mode` as in open(2).
 * @throws ForeignFileError when something else is there; SystemError, ENOENT when nothing is.
 */
export function openRegular(path: string, flags: number, mode = 0): OpenFile {
  let fd: number;
  try {
    // O_NONBLOCK: a fifo, or a file lease (F_SETLEASE) of its owner, must not block the plugin.
    fd = open(path, flags | O.NOFOLLOW | O.NONBLOCK, mode);
  } catch (error) {
    // Links, sockets, directories and devices fail with different errors. The message is the same for all.
    const found = failedWith(error, "ENOENT")
      ? undefined
      : unlessFailed(() => status(path, { followLinks: false }));
    if (found === undefined || isRegular(found)) throw error;
    throw notRegular(path, found);
  }
  const file = new OpenFile(path, fd, statusOf(fd));
  if (isRegular(file.status)) return file;
  file[Symbol.dispose]();
  throw notRegular(path, file.status);
}

/**
 * As openRegular, but the file must have a single name and belong to this user, root, or the owner of its directory.
 * @throws ForeignFileError otherwise
 */
export function openOwn(path: string, flags: number, mode = 0): OpenFile {
  const file = openRegular(path, flags, mode);
  const state = strangeness(file.path, file.status);
  if (state === undefined) return file;
  file[Symbol.dispose]();
  throw new ForeignFileError(path, state);
}

/** Why the file may be another program's, and the remedy; undefined if it is certainly ours. */
export function strangeness(path: string, found: FileStatus): string | undefined {
  if (found.links > 1) {
    return `has ${found.links} names (hard links), so that it may be a file of another program: remove this name`;
  }
  return strangeOwner(path, found);
}

/**
 * As strangeness, but checks only the file's user. The directory's user is trusted too: some file systems give all files
 * to one user (NFS with root_squash), and the directory's user can replace the file anyway.
 */
export function strangeOwner(path: string, { owner }: FileStatus): string | undefined {
  if (owner === 0 || owner === userId() || owner === status(directoryOf(path)).owner) return undefined;
  return `belongs to user ${owner}: remove it, or give it to root with chown`;
}

/**
 * Creates the directory at `path` for this user alone if it is missing. An existing one is closed to others.
 * @throws ForeignFileError when something else is there, or it belongs to another user; SystemError
 */
export function ensureOwnDirectory(path: string): void {
  try {
    requireOwnDirectory(path);
    return;
  } catch (error) {
    if (!failedWith(error, "ENOENT")) throw error;
  }
  try {
    mkdir(path, 0o700);
  } catch (error) {
    if (!failedWith(error, "EEXIST")) throw error;
  }
  requireOwnDirectory(path);
}

/** Closes the directory at `path` to others. @throws as ensureOwnDirectory; ENOENT when it is missing. */
export function requireOwnDirectory(path: string): void {
  const found = status(path, { followLinks: false });
  requireDirectory(path, found);
  const state = strangeOwner(path, found);
  if (state !== undefined) throw new ForeignFileError(path, state);
  if ((found.mode & 0o777) !== 0o700) setDirectoryMode(path, 0o700);
}

/**
 * Creates a directory with this mode, and its missing parents. A umask does not remove the owner's permissions. `made` gets
 * the parent of each new directory. @throws SystemError
 */
export function makeDirectories(path: string, mode: number, made?: (parent: string) => void): void {
  const above = directoryOf(path);
  // Twice at most: in a file system such as /proc, mkdir(2) says ENOENT although the parent exists.
  for (let isThere = false; ; isThere = true) {
    try {
      mkdir(path, mode);
      const { mode: given } = status(path, { followLinks: false });
      if ((given & 0o700) !== 0o700) setDirectoryMode(path, (given & 0o7777) | 0o700);
      made?.(above);
      return;
    } catch (error) {
      if (failedWith(error, "EEXIST")) return;
      if (isThere || !failedWith(error, "ENOENT") || above === "." || above === "/") throw error;
      makeDirectories(above, 0o755, made);
    }
  }
}

/** @throws ForeignFileError when what was found at `path` is not a directory. */
export function requireDirectory(path: string, found: FileStatus): void {
  if (!isDirectory(found))
    throw new ForeignFileError(path, `is ${describeKind(found)}, not a directory: remove it`);
}

/** Sets the permissions of a directory. A link in its place is not followed. */
export function setDirectoryMode(path: string, mode: number): void {
  withFile(path, O.PATH | O.DIRECTORY | O.NOFOLLOW, 0, (fd) => trySetMode(fd, mode));
}

/** Restores the owner's permissions on a new file that a umask removed. True if one was missing. */
export function grantOwner({ fd, status }: Pick<OpenFile, "fd" | "status">): boolean {
  if ((status.mode & OWNER_ONLY) === OWNER_ONLY) return false;
  trySetMode(fd, OWNER_ONLY);
  return true;
}

/** Sets the permissions of an open file. Ignores failures: some file systems have fixed permissions. */
export function trySetMode(fd: number, mode: number): void {
  // Through its link in /proc, since the file may be open with O_PATH.
  unlessFailed(() => chmod(`/proc/self/fd/${fd}`, mode));
}

const directoryOf = (path: string): string => {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
};

const notRegular = (path: string, found: FileStatus): ForeignFileError =>
  new ForeignFileError(path, `is ${describeKind(found)}, not a regular file: remove it`);

/** By the type bits of st_mode (inode(7)). */
const KINDS: Readonly<Record<number, string>> = {
  1: "a fifo",
  2: "a character device",
  4: "a directory",
  6: "a block device",
  8: "a regular file",
  10: "a symbolic link",
  12: "a socket",
};

/** What kind of file it is, as in "a fifo". */
export const describeKind = ({ mode }: FileStatus): string => KINDS[mode >> 12] ?? "of an unknown kind";
