/**
 * The taken addresses: a hash table of pages, each a bitmap of 4096 addresses. In 64-bit words: checksum, family
 * (0 in a free page), chunk high, chunk low (the address without its last 12 bits), number of taken ones, 3 unused,
 * 64 words of bits.
 */
import type { Family, IpAddress } from "../net/ip.ts";
import { BrokenIndexError, type IndexImage, type Piece } from "./index-image.ts";

/** Size of a page in the image: checksum, header and one bit for each of 4096 addresses. */
export const PAGE_BYTES = 576;
/** Places of the words. */
const FAMILY = 1;
const HIGH = 2;
const LOW = 3;
const TAKEN = 4;
const BITS = 8;
const CHUNK_BITS = 12n;
const CHUNK_SIZE = 4096;
const FULL_WORD = 0xffff_ffff_ffff_ffffn;

/** Addresses of one family from `from` to `to`, both inclusive. */
export interface Interval {
  readonly family: Family;
  readonly from: bigint;
  readonly to: bigint;
}

export class AddressMap {
  private readonly image: IndexImage;
  private readonly offset: number;
  private readonly pages: number;

  constructor(image: IndexImage, offset: number, pages: number) {
    this.image = image;
    this.offset = offset;
    this.pages = pages;
  }

  /**
   * The first address of the interval that is not taken; undefined if there is none. Passes over full chunks only,
   * so the steps are bounded by the leases and not by the interval.
   */
  nextFree({ family, from, to }: Interval): bigint | undefined {
    for (let value = from; value <= to; ) {
      const chunk = value >> CHUNK_BITS;
      const { page, known } = this.find(family, chunk);
      if (!known) return value;
      const bit = firstZero(page.words, Number(value - (chunk << CHUNK_BITS)));
      if (bit !== undefined) {
        const free = (chunk << CHUNK_BITS) + BigInt(bit);
        return free <= to ? free : undefined;
      }
      value = (chunk + 1n) << CHUNK_BITS;
    }
    return undefined;
  }

  /** Whether an address is taken. */
  holds({ family, value }: IpAddress): boolean {
    const chunk = value >> CHUNK_BITS;
    const { page, known } = this.find(family, chunk);
    const bit = Number(value - (chunk << CHUNK_BITS));
    return known && (((page.words[BITS + (bit >> 6)] ?? 0n) >> BigInt(bit & 63)) & 1n) === 1n;
  }

  /** Notes whether an address is taken. True if that used up a free page. */
  mark({ family, value }: IpAddress, taken: boolean): boolean {
    const chunk = value >> CHUNK_BITS;
    const { page, known } = this.find(family, chunk);
    const { words } = page;
    if (!known) words.set([BigInt(family), chunk >> 64n, BigInt.asUintN(64, chunk)], FAMILY);
    const bit = Number(value - (chunk << CHUNK_BITS));
    const at = BITS + (bit >> 6);
    const mask = 1n << BigInt(bit & 63);
    const word = words[at] ?? 0n;
    if (((word & mask) !== 0n) !== taken) {
      words[at] = word ^ mask;
      words[TAKEN] = (words[TAKEN] ?? 0n) + (taken ? 1n : -1n);
    }
    page.changed = true;
    return !known;
  }

  /** The page of a chunk, or the free one that may become it. */
  private find(family: Family, chunk: bigint): { page: Piece; known: boolean } {
    const high = chunk >> 64n;
    const low = BigInt.asUintN(64, chunk);
    const home = Number((low ^ (high * 0x9e37_79b9n)) % BigInt(this.pages));
    for (let step = 0; step < this.pages; step++) {
      const page = this.image.piece(this.offset + ((home + step) % this.pages) * PAGE_BYTES, PAGE_BYTES);
      const { words } = page;
      if (words[FAMILY] === 0n) return { page, known: false };
      if (words[FAMILY] === BigInt(family) && words[HIGH] === high && words[LOW] === low)
        return { page, known: true };
    }
    throw new BrokenIndexError("all pages are full");
  }
}

/** Number of the first clear bit of a page from `from` on. */
function firstZero(page: BigUint64Array, from: number): number | undefined {
  if (page[TAKEN] === BigInt(CHUNK_SIZE)) return undefined;
  let below = (1n << BigInt(from & 63)) - 1n;
  for (let at = from >> 6; at < CHUNK_SIZE / 64; at++) {
    const taken = (page[BITS + at] ?? 0n) | below;
    below = 0n;
    if (taken === FULL_WORD) continue;
    for (let bit = 0; ; bit++) if (((taken >> BigInt(bit)) & 1n) === 0n) return at * 64 + bit;
  }
  return undefined;
}
