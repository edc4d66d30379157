/**
 * Files, synchronously: opening, identity, names, directories. All errors are SystemError. node:fs is not used: it
 * costs 1.3 ms at start (docs/decisions/0002-libc-instead-of-node-fs.md) and hides the exact errno.
 */
import { close, readToEnd } from "./descriptor.ts";
import { ENOENT, SystemError } from "./errno.ts";
import { ARM, attempt, call, cString } from "./syscall.ts";

/** Keeps U+FEFF at the start of a name, where it is not a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Identifies a file as long as it exists: two paths with equal identity lead to one file. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
}

/** The part of struct statx (uapi linux/stat.h) that the plugins use. Times are nanoseconds since the epoch. */
export interface FileStatus extends FileIdentity {
  /** File type and permission bits, as in st_mode. */
  readonly mode: number;
  /** User id of the owner. */
  readonly owner: number;
  /** Names of the file (hard links); 0 for an open file that was removed. */
  readonly links: number;
  readonly size: number;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** By S_IFMT of stat(2). */
export function isRegular(status: FileStatus): boolean {
  return (status.mode & 0o170000) === 0o100000;
}
export function isDirectory(status: FileStatus): boolean {
  return (status.mode & 0o170000) === 0o040000;
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

/** Opens a file. No child inherits it, and it never becomes the terminal of this process. */
export function open(path: string, flags: number, mode = 0): number {
  const always = O.CLOEXEC | 0o400; /* NOCTTY */
  return call("openat", 257, 56, path, AT_FDCWD, cString(path), flags | always, mode);
}

/** One buffer for all calls: each result is decoded before the next call. All fields are aligned to their size. */
const statxBuffer = new ArrayBuffer(256);
const statx = new Uint8Array(statxBuffer);
const statx32 = new Uint32Array(statxBuffer);
const statx64 = new BigUint64Array(statxBuffer);

/** Calls statx(2) on a path, or with an empty path on a descriptor. Returns 0 or a negative error number. */
function look(directory: number, path: string, flags: number): number {
  return attempt("statx", 332, 291, directory, cString(path), flags, 0x7ff /* STATX_BASIC_STATS */, statx);
}

/** Status of the file at `path`; of a link itself with `followLinks: false`. */
export function status(path: string, options?: { followLinks?: boolean }): FileStatus {
  const error = look(AT_FDCWD, path, options?.followLinks === false ? 0x100 /* AT_SYMLINK_NOFOLLOW */ : 0);
  if (error < 0) throw new SystemError("statx", -error, path);
  return decodeStatx();
}

/** Status of an open file. */
export function statusOf(fd: number): FileStatus {
  const error = look(fd, "", 0x1000 /* AT_EMPTY_PATH */);
  if (error < 0) throw new SystemError("statx", -error);
  return decodeStatx();
}

/** Offsets from struct statx: nlink 16, uid 20, mode 28, ino 32, size 40, ctime 96, mtime 112, dev major/minor 136/140. */
function decodeStatx(): FileStatus {
  return {
    device: `${word32(136)}:${word32(140)}`,
    inode: String(word64(32)),
    mode: word32(28) & 0xffff,
    owner: word32(20),
    links: word32(16),
    size: Number(word64(40)),
    changed: timeAt(96),
    modified: timeAt(112),
  };
}

function word32(offset: number): number {
  return statx32[offset / 4] ?? 0;
}
function word64(offset: number): bigint {
  return statx64[offset / 8] ?? 0n;
}

/** A struct statx_timestamp in nanoseconds. Its seconds are signed. */
function timeAt(offset: number): bigint {
  return BigInt.asIntN(64, word64(offset)) * 1_000_000_000n + BigInt(word32(offset + 8));
}

/**
 * Inode number and change time (ns) of a path, links not followed; undefined if nothing is there. It decodes nothing
 * else, which makes it cheap for many files.
 */
export function inodeAndChange(path: string): { inode: bigint; changed: bigint } | undefined {
  const error = look(AT_FDCWD, path, 0x100 /* AT_SYMLINK_NOFOLLOW */);
  if (error === -ENOENT) return undefined;
  if (error < 0) throw new SystemError("statx", -error, path);
  return { inode: word64(32), changed: timeAt(96) };
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

/** Names in a directory without "." and "..", in the order of the file system. */
export function listDirectory(path: string): string[] {
  const names: string[] = [];
  forEachName(path, (name) => names.push(name));
  return names;
}

/** Calls `use` with each name, without a list of all. For directories that may be large. */
export function forEachName(path: string, use: (name: string) => void): void {
  withFile(path, O.DIRECTORY, 0, (fd) => {
    const buffer = new Uint8Array(32768);
    const view = new DataView(buffer.buffer);
    for (;;) {
      const length = call("getdents64", 217, 61, path, fd, buffer, buffer.length);
      if (length === 0) return;
      // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, then the name up to a NUL.
      for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
        const name = decoder.decode(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)));
        if (name !== "." && name !== "..") use(name);
      }
    }
  });
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

export function pread(fd: number, buffer: Uint8Array, offset: number): number {
  return call("pread64", 17, 67, undefined, fd, buffer, buffer.length, offset);
}

export function pwrite(fd: number, bytes: Uint8Array, offset: number): number {
  return call("pwrite64", 18, 68, undefined, fd, bytes, bytes.length, offset);
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
