/** statx(2): what the kernel tells of a file (struct statx of uapi linux/stat.h). */
import { attempt } from "./syscall.ts";

/** One buffer for all calls: each result is read or copied before the next call. All fields are aligned to their size. */
const buffer = new ArrayBuffer(256);
const bytes = new Uint8Array(buffer);
const words = new Uint32Array(buffer);
const inodes = new BigUint64Array(buffer);

/** The empty path, which means the descriptor itself. */
export const NO_PATH = new Uint8Array(1);

/** Calls statx(2) on a path, or on a descriptor. Returns 0 or a negative error number. */
export function look(directory: number, path: Uint8Array, flags: number): number {
  return attempt("statx", 332, 291, directory, path, flags, 0x7ff /* STATX_BASIC_STATS */, bytes);
}

/** In words of 32 bits. Numbers and times of 64 bits take two of them, and a time is followed by its nanoseconds. */
const AT = {
  links: 4,
  owner: 5,
  mode: 7,
  inode: 8,
  size: 10,
  changed: 24,
  modified: 28,
  device: 34,
} as const;
/** The words of all these. */
const USED = 36;

/** A time in nanoseconds. Its seconds are signed. */
function timeIn(words: Uint32Array, at: number): bigint {
  const seconds = (words[at] ?? 0) + ((words[at + 1] ?? 0) | 0) * 2 ** 32;
  return BigInt(seconds) * 1_000_000_000n + BigInt(words[at + 2] ?? 0);
}

/** What the last `look` saw: the bytes of a regular file, -1 for any other kind. */
export const sizeSeen = (): number =>
  ((words[AT.mode] ?? 0) & 0o170000) === 0o100000
    ? (words[AT.size] ?? 0) + (words[AT.size + 1] ?? 0) * 2 ** 32
    : -1;
/** Its inode number. */
export const inodeSeen = (): bigint => inodes[AT.inode / 2] ?? 0n;
/** The time of its last change, in nanoseconds. */
export const changeSeen = (): bigint => timeIn(words, AT.changed);

/** Identifies a file as long as it exists: two paths with equal identity lead to one file. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
}

/**
 * The part of struct statx that the plugins use, as the last `look` saw it. It keeps words and makes values of them when they
 * are asked for, since most callers ask for one or two.
 */
export class FileStatus implements FileIdentity {
  private readonly words = words.slice(0, USED);

  /** Major and minor number, as in "8:1". */
  get device(): string {
    return `${this.at(AT.device)}:${this.at(AT.device + 1)}`;
  }

  get inode(): string {
    return String((BigInt(this.at(AT.inode + 1)) << 32n) | BigInt(this.at(AT.inode)));
  }

  /** File type and permission bits, as in st_mode. */
  get mode(): number {
    return this.at(AT.mode) & 0xffff;
  }

  /** User id of the owner. */
  get owner(): number {
    return this.at(AT.owner);
  }

  /** Names of the file (hard links); 0 for an open file that was removed. */
  get links(): number {
    return this.at(AT.links);
  }

  get size(): number {
    return this.at(AT.size) + this.at(AT.size + 1) * 2 ** 32;
  }

  /** Nanoseconds since the epoch, as all times. */
  get modified(): bigint {
    return timeIn(this.words, AT.modified);
  }

  get changed(): bigint {
    return timeIn(this.words, AT.changed);
  }

  private at(index: number): number {
    return this.words[index] ?? 0;
  }
}
