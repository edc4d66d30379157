/** Files by path, synchronously: whole reads and writes, identity, directory listing. All errors are SystemError. */
import { failedWith } from "./errno.ts";
import * as libc from "./libc.ts";

/** A name may begin with U+FEFF, which is not a byte order mark there. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What names a file for as long as it lives: two paths with equal identity are one file. */
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

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;

const S_IFMT = 0o170000;
/** The type of a file by its mode (stat(2), S_IFMT). */
export const isRegular = (status: FileStatus): boolean => (status.mode & S_IFMT) === 0o100000;
export const isDirectory = (status: FileStatus): boolean => (status.mode & S_IFMT) === 0o040000;

/** One for all calls: what a call put there is decoded before the next. All its numbers are where their size says. */
const statxBuffer = new ArrayBuffer(256);
const statx = new Uint8Array(statxBuffer);
const statx32 = new Uint32Array(statxBuffer);
const statx64 = new BigUint64Array(statxBuffer);

/** Status of what `path` leads to; of the link itself with `followLinks: false`. */
export function status(path: string, options: { followLinks?: boolean } = {}): FileStatus {
  const flags = options.followLinks === false ? AT_SYMLINK_NOFOLLOW : 0;
  libc.statx(AT_FDCWD, path, flags, STATX_BASIC_STATS, statx);
  return decodeStatx();
}

/** Status of an open file. */
export function statusOf(fd: number): FileStatus {
  libc.statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, statx);
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

const word32 = (offset: number): number => statx32[offset / 4] ?? 0;
const word64 = (offset: number): bigint => statx64[offset / 8] ?? 0n;

/** A struct statx_timestamp, whose seconds have a sign, as nanoseconds. */
const timeAt = (offset: number): bigint =>
  BigInt.asIntN(64, word64(offset)) * 1_000_000_000n + BigInt(word32(offset + 8));

/**
 * Inode number and change time (ns) of a path, links not followed; undefined if nothing is there. For looking at many
 * files: it decodes nothing else.
 */
export function inodeAndChange(path: string): { inode: bigint; changed: bigint } | undefined {
  try {
    libc.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, statx);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
  return { inode: word64(32), changed: timeAt(96) };
}

export const sameFile = (a: FileIdentity, b: FileIdentity): boolean =>
  a.device === b.device && a.inode === b.inode;

/** Kind of the file system that a path is in: f_type of struct statfs, a magic number of uapi linux/magic.h. */
export function fileSystemType(path: string): number {
  const bytes = new Uint8Array(120);
  libc.statfs(path, bytes);
  return new DataView(bytes.buffer).getUint32(0, true);
}

/** Runs `use` with an open descriptor and closes it whatever happens. */
export function withFile<T>(path: string, flags: number, mode: number, use: (fd: number) => T): T {
  const fd = libc.open(path, flags, mode);
  try {
    return use(fd);
  } finally {
    libc.close(fd);
  }
}

/** Bytes from where on a copy costs more than room that stays empty, which is address space and no memory. */
const LARGE = 1024 * 1024;
/** Bytes of room that are taken at once. */
const MOST_ROOM = 512 * 1024 * 1024;

/** All bytes up to the end of a file, pipe or terminal, or the first `most` of them; `before` runs before each read. */
export function readToEnd(fd: number, most = Number.MAX_SAFE_INTEGER, before?: () => void): Uint8Array {
  let buffer = new Uint8Array(most < 4096 ? most : 4096);
  let length = 0;
  for (;;) {
    before?.();
    const count = libc.read(fd, length === 0 ? buffer : buffer.subarray(length));
    length += count;
    if (count === 0 || length === most)
      return length < LARGE ? buffer.slice(0, length) : buffer.subarray(0, length);
    if (length === buffer.length) {
      const twice = buffer.length * 2;
      const larger = new Uint8Array(most < twice || (length >= LARGE && most <= MOST_ROOM) ? most : twice);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

/** Of files that the kernel keeps (proc(5)). O_NONBLOCK: what is there instead must not stop the plugin. */
export const readFile = (path: string): Uint8Array =>
  withFile(path, libc.O.RDONLY | libc.O.NONBLOCK, 0, readToEnd);

/** The file as UTF-8 text; invalid sequences become U+FFFD. */
export const readText = (path: string): string => decoder.decode(readFile(path));

/** Writes all bytes, however many calls that takes. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; )
    offset += libc.write(fd, offset === 0 ? bytes : bytes.subarray(offset));
}

/** Names in a directory without "." and "..", in the order of the file system. */
export function listDirectory(path: string): string[] {
  const names: string[] = [];
  forEachName(path, (name) => names.push(name));
  return names;
}

/** The same one by one, for directories that may be large. */
export function forEachName(path: string, use: (name: string) => void): void {
  withFile(path, libc.O.RDONLY | libc.O.DIRECTORY, 0, (fd) => {
    const buffer = new Uint8Array(32768);
    const view = new DataView(buffer.buffer);
    for (let length = libc.getdents64(fd, buffer); length > 0; length = libc.getdents64(fd, buffer)) {
      // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, then the name up to a NUL.
      for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
        const name = decoder.decode(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)));
        if (name !== "." && name !== "..") use(name);
      }
    }
  });
}

/** PATH_MAX of uapi linux/limits.h: no link's target is longer. */
const LONGEST_PATH = 4096;
/** One for all links, made for the first: a page of memory that is touched costs as much as following one. */
let target: Uint8Array | undefined;

/** Target of a symbolic link. */
export function readLink(path: string): string {
  target ??= new Uint8Array(LONGEST_PATH);
  return decoder.decode(target.slice(0, libc.readlink(path, target)));
}
