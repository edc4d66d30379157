/**
 * A page of the lease index (lease-index.ts): a word that says how many rows it has and whether it is spilled, and three
 * columns of 64-bit words in the machine's byte order: the hash of the content; the address (two words); inode and change time
 * of the file. Rows are found by the typed array's own search.
 */
import type { IpAddress } from "../net/ip.ts";

/** One file that holds an address. */
export interface IndexEntry {
  /** By hashOf. */
  readonly hash: bigint;
  readonly address: IpAddress;
  /** The file's inode number and change time (ns): while both are the same, so is the content. */
  readonly inode: bigint;
  readonly changed: bigint;
}

/** Words of a page: 2 KiB. */
export const PAGE_WORDS = 256;
/** Rows for which it has room. */
export const PAGE_ROWS = 51;

/** Where the columns begin. */
const HASHES = 1;
const ADDRESSES = HASHES + PAGE_ROWS;
const FILES = ADDRESSES + 2 * PAGE_ROWS;

/** The flag in the first word, beside the number of rows. */
const SPILLED = 2 ** 32;

/** An IPv4 address is stored as an IPv4-mapped IPv6 address, since no file is named after one of those. */
const MAPPED = 0xffffn;

export class IndexPage {
  readonly words: BigUint64Array<ArrayBuffer>;
  rows: number;
  /** Whether a row that belongs here is in a later page, because this one was full. It stays so until the table grows. */
  isSpilled: boolean;
  /** Whether it differs from the page in the file. */
  isChanged: boolean;

  constructor(words: BigUint64Array<ArrayBuffer>, isChanged: boolean) {
    const first = Number(words[0]);
    this.words = words;
    this.isSpilled = first >= SPILLED;
    this.rows = first % SPILLED;
    this.isChanged = isChanged;
  }

  /** The words as they are to be written. */
  sealed(): BigUint64Array<ArrayBuffer> {
    this.words[0] = BigInt(this.rows + (this.isSpilled ? SPILLED : 0));
    this.isChanged = false;
    return this.words;
  }

  /** The first row from `from` on with this hash; -1 if there is none. */
  rowOf(hash: bigint, from = 0): number {
    const row = this.words.indexOf(hash, HASHES + from) - HASHES;
    return row >= 0 && row < this.rows ? row : -1;
  }

  entry(row: number): IndexEntry {
    const { words } = this;
    const hash = words[HASHES + row] ?? 0n;
    const inode = words[FILES + 2 * row] ?? 0n;
    return { hash, address: this.address(row), inode, changed: words[FILES + 2 * row + 1] ?? 0n };
  }

  address(row: number): IpAddress {
    const high = this.words[ADDRESSES + 2 * row] ?? 0n;
    const low = this.words[ADDRESSES + 2 * row + 1] ?? 0n;
    if (high === 0n && low >> 32n === MAPPED) return { family: 4, value: low & 0xffffffffn };
    return { family: 6, value: (high << 64n) | low };
  }

  /** The page must have room. */
  insert({ hash, address, inode, changed }: IndexEntry): void {
    const { words } = this;
    const row = this.rows++;
    words[HASHES + row] = hash;
    words[ADDRESSES + 2 * row] = highOf(address);
    words[ADDRESSES + 2 * row + 1] = lowOf(address);
    words[FILES + 2 * row] = inode;
    words[FILES + 2 * row + 1] = changed;
    this.isChanged = true;
  }

  /** The last row takes the place of the removed one. */
  remove(row: number): void {
    const { words } = this;
    const last = --this.rows;
    words.copyWithin(HASHES + row, HASHES + last, HASHES + last + 1);
    words.copyWithin(ADDRESSES + 2 * row, ADDRESSES + 2 * last, ADDRESSES + 2 * last + 2);
    words.copyWithin(FILES + 2 * row, FILES + 2 * last, FILES + 2 * last + 2);
    this.isChanged = true;
  }

  /**
   * Marks the addresses of this page among those that follow one after another from `start` on. It compares plain numbers,
   * since ten thousand bigints take milliseconds. It marks too few where the lowest 32 bits overflow.
   */
  mark(start: IpAddress, taken: Uint8Array): void {
    const [a, b, low = 0, d] = new Uint32Array(BigUint64Array.of(highOf(start), lowOf(start)).buffer);
    const numbers = new Uint32Array(this.words.buffer, this.words.byteOffset + 8 * ADDRESSES, 4 * this.rows);
    for (let at = 0; at < numbers.length; at += 4) {
      const offset = (numbers[at + 2] ?? 0) - low;
      if (offset < 0 || offset >= taken.length) continue;
      if (numbers[at] === a && numbers[at + 1] === b && numbers[at + 3] === d) taken[offset] = 1;
    }
  }
}

/** The two words of an address. */
const highOf = ({ family, value }: IpAddress): bigint => (family === 4 ? 0n : value >> 64n);
const lowOf = ({ family, value }: IpAddress): bigint =>
  family === 4 ? (MAPPED << 32n) | value : BigInt.asUintN(64, value);
