/**
 * Which address holds which lease, so that a question costs the same among ten leases and ten thousand (rule L6, decision
 * 0007). It is a cache of the directory and never more. In 64-bit words of the machine's byte order: a header, and three
 * columns with a row for each lease and free rows at their ends: hash of its content; address (two words); inode and
 * change time of its file. A row is found by the typed array's own search.
 */
import { hash64 } from "#engine";
import type { Interval } from "../net/interval.ts";
import type { IpAddress } from "../net/ip.ts";

/** One file that holds an address. */
export interface IndexEntry {
  /** See hashOf. */
  readonly hash: bigint;
  readonly address: IpAddress;
  /** The file's inode number and change time (ns): while they stay, its content stays. */
  readonly inode: bigint;
  readonly changed: bigint;
}

/** Instead of the hash of a content: what is not a lease but holds its address. */
export const NO_LEASE = 0n;

/** "BHindex" and the version of the layout. */
const MAGIC = 0x42_48_69_6e_64_65_78_02n;

/** Places of the header's words. The checksum is of all that stands behind it. */
const CHECKSUM = 1;
const BOOT = 2;
const STATE = 3;
const ROWS = 4;
const HEADER = 5;

/** Of each column the words of a row, and those of the same row in the columns before it. */
const COLUMNS = [
  [1, 0],
  [2, 1],
  [2, 3],
] as const;
const ROW = 5;

/** Words of an IPv4 address: those of the IPv4-mapped IPv6 address, which no file is named after. */
const MAPPED = 0xffffn;

/** Addresses that are looked for one by one before all rows are looked at. */
const TRIES = 64n;

export class LeaseIndex {
  /** Number of leases. */
  rows: number;
  private words: BigUint64Array;
  private capacity: number;

  constructor(words = new BigUint64Array(HEADER + ROW * 16), rows = 0) {
    this.words = words;
    this.rows = rows;
    this.capacity = (words.length - HEADER) / ROW;
  }

  /** The index in the bytes of a buffer; undefined if it was not made by this version, or anything changed it since. */
  static open({ buffer, length }: Uint8Array<ArrayBuffer>): LeaseIndex | undefined {
    if (length % 8 !== 0 || (length / 8 - HEADER) % ROW !== 0) return undefined;
    const words = new BigUint64Array(buffer, 0, length / 8);
    if (words[0] !== MAGIC || words[CHECKSUM] !== hashOf(words.subarray(BOOT))) return undefined;
    return new LeaseIndex(words, Number(words[ROWS]));
  }

  /** The bytes for the file: an index that was right in this boot, when the directory had this state. */
  seal(boot: string, state: string): Uint8Array {
    const { words } = this;
    words.set([MAGIC, 0n, hashOf(boot), hashOf(state), BigInt(this.rows)]);
    words[CHECKSUM] = hashOf(words.subarray(BOOT));
    return new Uint8Array(words.buffer);
  }

  /** Whether it was sealed in this boot. What was written in another may have been lost with the power. */
  isOfBoot(boot: string): boolean {
    return this.words[BOOT] === hashOf(boot);
  }

  /** Whether the directory had this state when it was sealed. */
  isOfState(state: string): boolean {
    return this.words[STATE] === hashOf(state);
  }

  /** Addresses of the files with this content, and possibly of others with the same hash. */
  find(content: string): IpAddress[] {
    const hash = hashOf(content);
    const found: IpAddress[] = [];
    for (let at = HEADER - 1; ; ) {
      at = this.words.indexOf(hash, at + 1);
      if (at < 0 || at >= HEADER + this.rows) return found;
      found.push(this.address(at - HEADER));
    }
  }

  /** The first address of the interval that nothing holds; undefined if there is none. */
  firstFree({ family, from, to }: Interval): IpAddress | undefined {
    let value = from;
    for (; value <= to && value < from + TRIES; value++) {
      const address = { family, value };
      if (this.rowOf(address) < 0) return address;
    }
    if (value > to) return undefined;
    // Of as many addresses as there are rows, and one more, one is free.
    const taken = new Uint8Array(this.rows + 1);
    for (let row = 0; row < this.rows; row++) {
      const address = this.address(row);
      const offset = Number(address.value - value);
      if (address.family === family && offset >= 0 && offset < taken.length) taken[offset] = 1;
    }
    value += BigInt(taken.indexOf(0));
    return value <= to ? { family, value } : undefined;
  }

  /** The lease of a row. */
  entry(row: number): IndexEntry {
    const stamp = HEADER + 3 * this.capacity + 2 * row;
    const [hash, inode, changed] = [this.word(HEADER + row), this.word(stamp), this.word(stamp + 1)];
    return { hash, address: this.address(row), inode, changed };
  }

  /** Adds a row. `file` is the lease's, as it was before its content was read: a later change shows. */
  insert(hash: bigint, address: IpAddress, file: { inode: bigint | string; changed: bigint }): void {
    if (this.rows === this.capacity) this.grow();
    const row = this.rows++;
    this.words[HEADER + row] = hash;
    const [high, low] = wordsOf(address);
    const at = HEADER + this.capacity + 2 * row;
    this.words[at] = high;
    this.words[at + 1] = low;
    const stamp = HEADER + 3 * this.capacity + 2 * row;
    this.words[stamp] = BigInt(file.inode);
    this.words[stamp + 1] = file.changed;
  }

  /** Removes the row of an address, into whose place comes the last one. */
  remove(address: IpAddress): void {
    const row = this.rowOf(address);
    if (row < 0) return;
    const last = --this.rows;
    for (const [width, before] of COLUMNS) {
      const column = HEADER + before * this.capacity;
      this.words.copyWithin(column + width * row, column + width * last, column + width * (last + 1));
    }
  }

  private rowOf(address: IpAddress): number {
    const [high, low] = wordsOf(address);
    const column = HEADER + this.capacity;
    for (let at = column; ; ) {
      at = this.words.indexOf(low, at + 1);
      if (at < 0 || at >= column + 2 * this.rows) return -1;
      if ((at - column) % 2 === 1 && this.words[at - 1] === high) return (at - column - 1) / 2;
    }
  }

  private address(row: number): IpAddress {
    const at = HEADER + this.capacity + 2 * row;
    const value = (this.word(at) << 64n) | this.word(at + 1);
    return value >> 32n === MAPPED ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
  }

  private grow(): void {
    const capacity = this.capacity + (this.capacity >> 2) + 16;
    const larger = new BigUint64Array(HEADER + ROW * capacity);
    for (const [width, before] of COLUMNS) {
      const column = HEADER + before * this.capacity;
      larger.set(this.words.subarray(column, column + width * this.rows), HEADER + before * capacity);
    }
    this.words = larger;
    this.capacity = capacity;
  }

  private word(at: number): bigint {
    return this.words[at] ?? 0n;
  }
}

/** A hash of a content. Equal ones are only a hint: the file is read before anything is done. */
export const hashOf = (content: string | BigUint64Array | undefined): bigint =>
  content === undefined ? NO_LEASE : hash64(content) || 1n;

const wordsOf = ({ family, value }: IpAddress): [high: bigint, low: bigint] =>
  family === 4 ? [0n, (MAPPED << 32n) | value] : [value >> 64n, BigInt.asUintN(64, value)];
