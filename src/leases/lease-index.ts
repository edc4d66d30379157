/**
 * The lease index: which attachment holds which address, found at the same cost among ten leases and ten thousand (rule L6,
 * decision 0007). It is only a cache of the directory. It is a hash table of pages, in which a row's place follows from the hash
 * of its lease's content. A head in front of the pages has a checksum of each, and one of itself. So one checksum covers all of
 * it, and a command reads, verifies and writes only the head and the pages that it needs.
 */
import { hash64 } from "#engine";
import type { IpAddress } from "../net/ip.ts";
import { type IndexEntry, IndexPage, PAGE_ROWS, PAGE_WORDS } from "./index-page.ts";

/** The hash of a file that is not a lease but holds its address. */
export const NO_LEASE = 0n;

/** "BHindex" and the version of the layout. */
const MAGIC = 0x42_48_69_6e_64_65_78_03n;

/** Offsets of the head's words. The checksum covers all words after it; those of the pages follow. */
const CHECKSUM = 1;
const BOOT = 2;
const STATE = 3;
const ROWS = 4;
const HEAD = 5;

/** Rows of a page on the average; with more of them, the number of pages doubles. Then hardly any page is ever spilled. */
const FILL = 32;

/** A page is not what was written: the index must not be used. */
export class DamagedIndexError extends Error {
  override readonly name = "DamagedIndexError";
}

/** Words of the file, and the offset of their bytes. */
type Transfer = (words: BigUint64Array<ArrayBuffer>, offset: number) => void;

/** Fills the words with what the file has there. What it does not have stays as it was. */
export type ReadIndex = Transfer;

export class LeaseIndex {
  rows = 0;
  private head: BigUint64Array<ArrayBuffer>;
  /** A power of two. */
  private count: number;
  /** By number, those that were needed. No Map: the compact file's engine gives all small numbers one hash. */
  private pages: (IndexPage | undefined)[] = [];
  /** The numbers of those pages. */
  private loaded: number[] = [];
  private readonly read: ReadIndex | undefined;

  /** An index with room for so many leases, or the one that is read from a file with this head. */
  constructor(
    leases: number,
    file?: { readonly head: BigUint64Array<ArrayBuffer>; readonly read: ReadIndex },
  ) {
    this.read = file?.read;
    if (file !== undefined) {
      this.head = file.head;
      this.count = file.head.length - HEAD;
      this.rows = Number(file.head[ROWS]);
      return;
    }
    this.count = 1;
    while (FILL * this.count < leases) this.count *= 2;
    this.head = new BigUint64Array(HEAD + this.count);
    // In one block: the compact file's engine would map memory for many.
    const all = new BigUint64Array(this.count * PAGE_WORDS);
    for (let number = 0; number < this.count; number++) {
      const words = all.subarray(number * PAGE_WORDS, (number + 1) * PAGE_WORDS);
      this.pages.push(new IndexPage(words, true));
      this.loaded.push(number);
    }
  }

  /**
   * The index in a file of so many bytes; undefined if it was not written by this version and in this boot, or if its head was
   * changed since. After a power failure an index of the previous boot can be out of date.
   */
  static open(read: ReadIndex, size: number, boot: string): LeaseIndex | undefined {
    const count = (size / 8 - HEAD) / (PAGE_WORDS + 1);
    if (!Number.isInteger(count) || count < 1) return undefined;
    const head = new BigUint64Array(HEAD + count);
    read(head, 0);
    if (head[0] !== MAGIC || head[CHECKSUM] !== hashOf(head.subarray(BOOT))) return undefined;
    return head[BOOT] === hashOf(boot) ? new LeaseIndex(0, { head, read }) : undefined;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.offset(this.count);
  }

  /**
   * Writes what has changed, the head last: it says in which boot and for which state of the directory the index is right, and
   * is wrong for every other set of pages.
   */
  seal(boot: string, state: string, write: Transfer): void {
    const { head } = this;
    for (const number of this.loaded) {
      const page = this.page(number);
      if (!page.isChanged) continue;
      const words = page.sealed();
      head[HEAD + number] = hashOf(words);
      write(words, this.offset(number));
    }
    head.set([MAGIC, 0n, hashOf(boot), hashOf(state), BigInt(this.rows)]);
    head[CHECKSUM] = hashOf(head.subarray(BOOT));
    write(head, 0);
  }

  /** Whether the index was sealed for this state of the directory. */
  isOfState(state: string): boolean {
    return this.head[STATE] === hashOf(state);
  }

  /**
   * Addresses of the files with this content, and possibly of other files with the same hash.
   * @throws DamagedIndexError, as all that follow
   */
  find(content: string | undefined): IpAddress[] {
    const hash = hashOf(content);
    const found: IpAddress[] = [];
    this.forEachPage(hash, (page) => {
      for (let row = page.rowOf(hash); row >= 0; row = page.rowOf(hash, row + 1))
        found.push(page.address(row));
      return !page.isSpilled;
    });
    return found;
  }

  insert(entry: IndexEntry): void {
    if (this.rows >= FILL * this.count) this.grow();
    this.rows++;
    let number = this.homeOf(entry.hash);
    let page = this.page(number);
    while (page.rows === PAGE_ROWS) {
      if (!page.isSpilled) page.isSpilled = page.isChanged = true;
      number = (number + 1) % this.count;
      page = this.page(number);
    }
    page.insert(entry);
  }

  /** Removes the row of a file. False if there is none. */
  remove({ family, value }: IpAddress, content: string | undefined): boolean {
    const hash = hashOf(content);
    let isRemoved = false;
    this.forEachPage(hash, (page) => {
      for (let row = page.rowOf(hash); row >= 0; row = page.rowOf(hash, row + 1)) {
        const address = page.address(row);
        if (address.family !== family || address.value !== value) continue;
        page.remove(row);
        this.rows--;
        isRemoved = true;
        return true;
      }
      return !page.isSpilled;
    });
    return isRemoved;
  }

  /** All entries. Those that were visited may be removed meanwhile: the row that takes a row's place was visited before. */
  *entries(): Generator<IndexEntry> {
    for (let number = 0; number < this.count; number++) {
      const page = this.page(number);
      for (let row = page.rows - 1; row >= 0; row--) yield page.entry(row);
    }
  }

  /** At most so many entries from one page, at a random place. */
  some(most: number, randomBelow: (limit: number) => number): IndexEntry[] {
    const isAll = this.count === 1 && this.rows <= most;
    const random = isAll ? 0 : randomBelow(this.count * PAGE_ROWS);
    const from = random % PAGE_ROWS;
    const page = this.page((random - from) / PAGE_ROWS);
    const found: IndexEntry[] = [];
    while (found.length < most && found.length < page.rows)
      found.push(page.entry((from + found.length) % page.rows));
    return found;
  }

  /** How many addresses from this one on are held without a gap. It reads all rows once. The result can be too small. */
  run(start: IpAddress): bigint {
    // Among one address more than there are rows, at least one is free.
    const taken = new Uint8Array(this.rows + 1);
    for (let number = 0; number < this.count; number++) this.page(number).mark(start, taken);
    return BigInt(taken.indexOf(0));
  }

  /** Calls `visit` with the page of a hash and those after it, until it returns true. */
  private forEachPage(hash: bigint, visit: (page: IndexPage) => boolean): void {
    const home = this.homeOf(hash);
    for (let step = 0; step < this.count; step++) if (visit(this.page((home + step) % this.count))) return;
  }

  /** The number of the page in which the row of a content belongs. */
  private homeOf(hash: bigint): number {
    return Number(hash & BigInt(this.count - 1));
  }

  private page(number: number): IndexPage {
    const known = this.pages[number];
    if (known !== undefined) return known;
    const words = new BigUint64Array(PAGE_WORDS);
    this.read?.(words, this.offset(number));
    if (hashOf(words) !== this.head[HEAD + number]) throw new DamagedIndexError();
    const page = new IndexPage(words, false);
    this.pages[number] = page;
    this.loaded.push(number);
    return page;
  }

  /** Where a page begins in the file. */
  private offset(number: number): number {
    return 8 * (HEAD + this.count + number * PAGE_WORDS);
  }

  private grow(): void {
    const larger = new LeaseIndex(2 * FILL * this.count);
    for (const entry of this.entries()) larger.insert(entry);
    this.head = larger.head;
    this.count = larger.count;
    this.pages = larger.pages;
    this.loaded = larger.loaded;
  }
}

/** The hash of a content. Contents with equal hashes can differ, so the file is always read as well. */
export const hashOf = (content: string | BigUint64Array | undefined): bigint =>
  content === undefined ? NO_LEASE : hash64(content) || 1n;
