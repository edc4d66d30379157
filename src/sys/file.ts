/**
 * Files, synchronously: opening, identity, names, directories. All errors are SystemError. node:fs is not used: it
 * costs 1.3 ms at start (docs/decisions/0002-libc-instead-of-node-fs.md) and hides the exact errno.
 */
import type { Memory } from "#engine";
import { close, readToEnd } from "./descriptor.ts";
import { ENOENT, failedWith, SystemError } from "./errno.ts";
import { changeSeen, type FileIdentity, FileStatus, inodeSeen, look, NO_PATH } from "./statx.ts";
import { ARM, attempt, call, cString } from "./syscall.ts";

export type { FileIdentity, FileStatus } from "./statx.ts";

/** Keeps U+FEFF at the start of a name, where it is not a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** By S_IFMT of stat(2). */
export function isRegular(status: FileStatus): boolean {
  return (status.mode & 0o170000) === 0o100000;
}
/** Whether it is a file that anyone may execute. */
export function isProgram(status: FileStatus): boolean {
  return isRegular(status) && (status.mode & 0o111) !== 0;
}
export function isDirectory(status: FileStatus): boolean {
  return (status.mode & 0o170000) === 0o040000;
}

/** Whether a path leads to anything; a link counts itself. @throws SystemError if that cannot be told */
export function exists(path: string): boolean {
  try {
    status(path, { followLinks: false });
    return true;
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}

const AT_FDCWD = -100;

/** Flags of open(2), some of which differ between the architectures. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  DIRECTORY: ARM ? 0o40000 : 0o200000,
  /** A file without a name in the directory that open(2) is given; linkDescriptor() gives it one. */
  TMPFILE: 0o20000000 | (ARM ? 0o40000 : 0o200000),
  NOFOLLOW: ARM ? 0o100000 : 0o400000,
  /** Refers to the path without opening the file, so that no permission is needed and no device is disturbed. */
  PATH: 0o10000000,
} as const;

/** What every open(2) gets: no child inherits the file, and it never becomes the terminal of this process. */
export const ALWAYS = O.CLOEXEC | 0o400; /* NOCTTY */

/** Opens a file. */
export function open(path: string, flags: number, mode = 0): number {
  return call("openat", 257, 56, path, AT_FDCWD, cString(path), flags | ALWAYS, mode);
}

/** Status of the file at `path`; of a link itself with `followLinks: false`. */
export function status(path: string, options?: { followLinks?: boolean }): FileStatus {
  const flags = options?.followLinks === false ? 0x100 /* AT_SYMLINK_NOFOLLOW */ : 0;
  const error = look(AT_FDCWD, cString(path), flags);
  if (error < 0) throw new SystemError("statx", -error, path);
  return new FileStatus();
}

/** Status of an open file. */
export function statusOf(fd: number): FileStatus {
  const error = look(fd, NO_PATH, 0x1000 /* AT_EMPTY_PATH */);
  if (error < 0) throw new SystemError("statx", -error);
  return new FileStatus();
}

/**
 * Inode number and change time (ns) of a path, links not followed; undefined if nothing is there. It decodes nothing
 * else, which makes it cheap for many files.
 */
export function inodeAndChange(path: string): { inode: bigint; changed: bigint } | undefined {
  const error = look(AT_FDCWD, cString(path), 0x100 /* AT_SYMLINK_NOFOLLOW */);
  if (error === -ENOENT) return undefined;
  if (error < 0) throw new SystemError("statx", -error, path);
  return { inode: inodeSeen(), changed: changeSeen() };
}

export function sameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode;
}

/** Kind of the file system that a path is in: f_type of struct statfs, a magic number of uapi linux/magic.h. */
export function fileSystemType(path: string): number {
  // struct statfs of asm/statfs.h. The type is its first word.
  const words = new Uint32Array(30);
  call("statfs", 137, 43, path, cString(path), words);
  return words[0] ?? 0;
}

/** Runs `use` with an open descriptor and closes it whatever happens. */
export function withFile<T>(path: string, flags: number, mode: number, use: (fd: number) => T): T {
  const fd = open(path, flags, mode);
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}

/** Reads a file of the kernel (proc(5)). O_NONBLOCK: a fifo in its place must not block the plugin. */
export function readFile(path: string): Uint8Array {
  return withFile(path, O.NONBLOCK, 0, readToEnd);
}

/** The file as UTF-8 text; invalid sequences become U+FFFD. */
export function readText(path: string): string {
  return decoder.decode(readFile(path));
}

/** One buffer for all links: touching a new page of memory costs as much as reading a link. */
let target: Uint8Array | undefined;

/** Target of a symbolic link. */
export function readLink(path: string): string {
  // PATH_MAX of uapi linux/limits.h: no link's target is longer.
  target ??= new Uint8Array(4096);
  const length = call("readlinkat", 267, 78, path, AT_FDCWD, cString(path), target, 4096);
  return decoder.decode(target.slice(0, length));
}

export function link(from: string, to: string): void {
  call("linkat", 265, 37, to, AT_FDCWD, cString(from), AT_FDCWD, cString(to));
}

/** Gives an open file a new name, through its link in /proc. Fails if the name exists. */
export function linkDescriptor(fd: number, to: string): void {
  const from = cString(`/proc/self/fd/${fd}`);
  call("linkat", 265, 37, to, AT_FDCWD, from, AT_FDCWD, cString(to), 0x400 /* AT_SYMLINK_FOLLOW */);
}

export function rename(from: string, to: string): void {
  call("renameat", 264, 38, to, AT_FDCWD, cString(from), AT_FDCWD, cString(to));
}

export function unlink(path: string): void {
  call("unlinkat", 263, 35, path, AT_FDCWD, cString(path));
}

/** Removes a name, if it is there. @throws SystemError */
export function unlinkIfThere(path: string): void {
  try {
    unlink(path);
  } catch (error) {
    if (!failedWith(error, "ENOENT", "ENOTDIR", "ENAMETOOLONG")) throw error;
  }
}

export function rmdir(path: string): void {
  call("unlinkat", 263, 35, path, AT_FDCWD, cString(path), 0x200 /* AT_REMOVEDIR */);
}

export function mkdir(path: string, mode: number): void {
  call("mkdirat", 258, 34, path, AT_FDCWD, cString(path), mode);
}

/** Sets the permissions. Links are followed. */
export function chmod(path: string, mode: number): void {
  call("fchmodat", 268, 53, path, AT_FDCWD, cString(path), mode);
}

/** Sets access and modification time of a path from two struct timespec of 64-bit fields. */
export function utimensat(path: string, times: BigInt64Array): void {
  call("utimensat", 280, 88, path, AT_FDCWD, cString(path), times);
}

/** Reads into all of the memory, or up to the end of the file. */
export function pread(fd: number, memory: Memory, offset: number): number {
  return call("pread64", 17, 67, undefined, fd, memory, memory.byteLength, offset);
}

export function pwrite(fd: number, memory: Memory, offset: number): number {
  return call("pwrite64", 18, 68, undefined, fd, memory, memory.byteLength, offset);
}

export function fsync(fd: number): void {
  call("fsync", 74, 82, undefined, fd);
}

export function ftruncate(fd: number, length: number): void {
  call("ftruncate", 77, 46, undefined, fd, length);
}

/** Sets an extended attribute of an open file. xattr(7) explains the names. */
export function fsetxattr(fd: number, name: string, value: Uint8Array): void {
  call("fsetxattr", 190, 7, name, fd, cString(name), value, value.length);
}

/** Reads an attribute into `buffer`. Returns its length, or the negative error number: most files have none, and errors are slow. */
export function fgetxattr(fd: number, name: string, buffer: Uint8Array): number {
  return attempt("fgetxattr", 193, 10, fd, cString(name), buffer, buffer.length);
}
