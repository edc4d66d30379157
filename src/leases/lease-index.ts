/**
 * The lease index: which lease holds which address, found at the same cost among ten leases and ten thousand (rule L6,
 * decision 0007). It is only a cache of the directory. It consists of 64-bit words in the machine's byte order: a
 * header and three columns. A column has one row for each lease, then free rows. The columns are: the hash of the
 * content; the address (two words); inode and change time of the file. Rows are found by the typed array's own search.
 */
import { hash64 } from "#engine";
import type { Interval } from "../net/interval.ts";
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

/** The hash of a file that is not a lease but holds its address. */
export const NO_LEASE = 0n;

/** "BHindex" and the version of the layout. */
const MAGIC = 0x42_48_69_6e_64_65_78_02n;

/** Offsets of the header's words. The checksum covers all words after it. */
const CHECKSUM = 1;
const BOOT = 2;
const STATE = 3;
const ROWS = 4;
const HEADER = 5;

/** Words of a row in all columns together. */
const ROW = 5;
/** For each column: the words of a row in it, and in all columns before it. */
const COLUMNS: readonly (readonly [width: number, before: number])[] = [
  [1, 0],
  [2, 1],
  [2, 3],
];

/** An IPv4 address is stored as an IPv4-mapped IPv6 address, since no file is named after one of those. */
const MAPPED = 0xffffn;

/** Addresses that are looked up one by one before all rows are read. */
const TRIES = 8;

export class LeaseIndex {
  rows: number;
  private words: BigUint64Array;
  private capacity: number;

  constructor(words = new BigUint64Array(HEADER + ROW * 16), rows = 0) {
    this.words = words;
    this.rows = rows;
    this.capacity = (words.length - HEADER) / ROW;
  }

  /**
   * The index in the bytes of a file; undefined if they were not written by this version and in this boot, or were
   * changed since. After a power failure an index of the previous boot can be out of date.
   */
  static open({ buffer, length }: Uint8Array<ArrayBuffer>, boot: string): LeaseIndex | undefined {
    if ((length - 8 * HEADER) % (8 * ROW) !== 0) return undefined;
    const words = new BigUint64Array(buffer, 0, length / 8);
    if (words[0] !== MAGIC || words[CHECKSUM] !== hashOf(words.subarray(BOOT))) return undefined;
    return words[BOOT] === hashOf(boot) ? new LeaseIndex(words, Number(words[ROWS])) : undefined;
  }

  /** The bytes for the file: they say in which boot and for which state of the directory the index is right. */
  seal(boot: string, state: string): Uint8Array {
    const { words } = this;
    words.set([MAGIC, 0n, hashOf(boot), hashOf(state), BigInt(this.rows)]);
    words[CHECKSUM] = hashOf(words.subarray(BOOT));
    return new Uint8Array(words.buffer);
  }

  /** Whether the index was sealed for this state of the directory. */
  isOfState(state: string): boolean {
    return this.words[STATE] === hashOf(state);
  }

  /** Addresses of the files with this content, and possibly of other files with the same hash. */
  find(content: string): IpAddress[] {
    const hash = hashOf(content);
    const found: IpAddress[] = [];
    for (let at = HEADER - 1; ; ) {
      at = this.words.indexOf(hash, at + 1);
      if (at < 0 || at >= HEADER + this.rows) return found;
      found.push(this.entry(at - HEADER).address);
    }
  }

  /** The first free address of the interval; undefined if all are held. */
  firstFree({ family, from, to }: Interval): IpAddress | undefined {
    for (let value = from; ; value += this.run({ family, value })) {
      for (let tries = 0; tries < TRIES; tries++, value++) {
        if (value > to) return undefined;
        const address = { family, value };
        if (this.rowOf(address) < 0) return address;
      }
    }
  }

  entry(row: number): IndexEntry {
    const { words, capacity } = this;
    const at = HEADER + capacity + 2 * row;
    const hash = words[HEADER + row] ?? 0n;
    const high = words[at] ?? 0n;
    const low = words[at + 1] ?? 0n;
    const inode = words[at + 2 * capacity] ?? 0n;
    const changed = words[at + 2 * capacity + 1] ?? 0n;
    const isMapped = high === 0n && low >> 32n === MAPPED;
    const address: IpAddress = isMapped
      ? { family: 4, value: low & 0xffffffffn }
      : { family: 6, value: (high << 64n) | low };
    return { hash, address, inode, changed };
  }

  insert({ hash, address, inode, changed }: IndexEntry): void {
    if (this.rows === this.capacity) {
      const larger = new LeaseIndex(new BigUint64Array(HEADER + ROW * (16 + Math.ceil(this.rows * 1.25))));
      for (const [width, before] of COLUMNS) {
        const column = HEADER + before * this.capacity;
        const used = this.words.subarray(column, column + width * this.rows);
        larger.words.set(used, HEADER + before * larger.capacity);
      }
      this.words = larger.words;
      this.capacity = larger.capacity;
    }
    const row = this.rows++;
    const at = HEADER + this.capacity + 2 * row;
    const { words, capacity } = this;
    words[HEADER + row] = hash;
    words[at] = highOf(address);
    words[at + 1] = lowOf(address);
    words[at + 2 * capacity] = inode;
    words[at + 2 * capacity + 1] = changed;
  }

  /** Removes the row of an address. The last row takes its place. */
  remove(address: IpAddress): void {
    const row = this.rowOf(address);
    if (row < 0) return;
    const last = --this.rows;
    for (const [width, before] of COLUMNS) {
      const column = HEADER + before * this.capacity;
      this.words.copyWithin(column + width * row, column + width * last, column + width * (last + 1));
    }
  }

  /**
   * How many addresses from this one on are held without a gap. It reads all rows once, as plain numbers, since ten
   * thousand bigints take milliseconds. The result can be too small where the lowest 32 bits overflow.
   */
  private run(start: IpAddress): bigint {
    // Among one address more than there are rows, at least one is free.
    const taken = new Uint8Array(this.rows + 1);
    const [a, b, low = 0, d] = new Uint32Array(BigUint64Array.of(highOf(start), lowOf(start)).buffer);
    const numbers = new Uint32Array(this.words.buffer, 8 * (HEADER + this.capacity), 4 * this.rows);
    for (let at = 0; at < numbers.length; at += 4) {
      const offset = (numbers[at + 2] ?? 0) - low;
      if (offset < 0 || offset >= taken.length) continue;
      if (numbers[at] === a && numbers[at + 1] === b && numbers[at + 3] === d) taken[offset] = 1;
    }
    return BigInt(taken.indexOf(0));
  }

  private rowOf(address: IpAddress): number {
    const high = highOf(address);
    const low = lowOf(address);
    const column = HEADER + this.capacity;
    for (let at = column; ; ) {
      at = this.words.indexOf(low, at + 1);
      if (at < 0 || at >= column + 2 * this.rows) return -1;
      if ((at - column) % 2 === 1 && this.words[at - 1] === high) return (at - column - 1) / 2;
    }
  }
}

/** The hash of a content. Contents with equal hashes can differ, so the file is always read as well. */
export const hashOf = (content: string | BigUint64Array | undefined): bigint =>
  content === undefined ? NO_LEASE : hash64(content) || 1n;

/** The two words of an address. */
const highOf = ({ family, value }: IpAddress): bigint => (family === 4 ? 0n : value >> 64n);
const lowOf = ({ family, value }: IpAddress): bigint =>
  family === 4 ? (MAPPED << 32n) | value : BigInt.asUintN(64, value);
