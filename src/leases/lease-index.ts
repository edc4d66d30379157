/**
 * Who holds what, so that a question costs the same among ten leases and ten thousand (rule L6). It is a cache of the
 * directory and never more. Layout: a header in the first 4096 bytes, the buckets of owner-table.ts, the pages of
 * address-map.ts.
 */
import type { IpAddress } from "../net/ip.ts";
import { AddressMap, type Interval, PAGE_BYTES } from "./address-map.ts";
import { BrokenIndexError, type Bytes, bytesOf, IndexImage, memoryBytes, wordsOf } from "./index-image.ts";
import { BUCKET_BYTES, type IndexEntry, OwnerTable, PLACES } from "./owner-table.ts";

/** "BHindex" and the layout's version. */
const MAGIC = 0x42_48_69_6e_64_65_78_01n;
const HEADER_BYTES = 4096;
const HEADER_WORDS = 8;

/** Places of the header's words. */
const H = {
  magic: 0,
  seed: 1,
  proof: 2,
  buckets: 3,
  pages: 4,
  entries: 5,
  usedPages: 6,
  checksum: 7,
} as const;

const LEAST_PAGES = 8;

/** An index in memory, and its bytes. */
export interface Built {
  readonly index: LeaseIndex;
  readonly image: Uint8Array;
}

export class LeaseIndex {
  private readonly bytes: Bytes;
  private readonly header: BigUint64Array;
  private readonly image: IndexImage;
  private readonly owners: OwnerTable;
  private readonly addresses: AddressMap;

  private constructor(bytes: Bytes, header: BigUint64Array, image: IndexImage) {
    const buckets = Number(header[H.buckets]);
    this.bytes = bytes;
    this.header = header;
    this.image = image;
    this.owners = new OwnerTable(image, HEADER_BYTES, buckets);
    this.addresses = new AddressMap(image, HEADER_BYTES + buckets * BUCKET_BYTES, Number(header[H.pages]));
  }

  /** The index in an image. @throws BrokenIndexError when it is none, or of another version. */
  static open(bytes: Bytes): LeaseIndex {
    const header = wordsOf(bytes.read(0, HEADER_WORDS * 8));
    if (header[H.magic] !== MAGIC || header[H.checksum] !== checksum(header)) {
      throw new BrokenIndexError("the header is damaged");
    }
    return new LeaseIndex(bytes, header, new IndexImage(bytes, header[H.seed] ?? 0n));
  }

  /** A new index in memory of these entries, with room for more. */
  static build(entries: Iterable<IndexEntry>): Built {
    let built = LeaseIndex.empty();
    for (const entry of entries) built = withEntry(built, entry);
    return built;
  }

  /** A new index in memory of nothing yet. */
  static empty(buckets = 1, pages = LEAST_PAGES): Built {
    const image = new Uint8Array(HEADER_BYTES + buckets * BUCKET_BYTES + pages * PAGE_BYTES);
    const [seed = 0n] = crypto.getRandomValues(new BigUint64Array(1));
    const header = BigUint64Array.of(MAGIC, seed, 0n, BigInt(buckets), BigInt(pages), 0n, 0n, 0n);
    const bytes = memoryBytes(image);
    const pieces = new IndexImage(bytes, seed);
    pieces.clear(image, HEADER_BYTES, BUCKET_BYTES, buckets);
    pieces.clear(image, HEADER_BYTES + buckets * BUCKET_BYTES, PAGE_BYTES, pages);
    return { index: new LeaseIndex(bytes, header, pieces), image };
  }

  /** A new index in memory with the same entries, and room for as many again. */
  grown(): Built {
    const [buckets, pages] = [Number(this.header[H.buckets]), Number(this.header[H.pages])];
    const larger = LeaseIndex.empty(
      this.isFull(H.entries, H.buckets, PLACES) ? 2 * buckets : buckets,
      this.isFull(H.usedPages, H.pages, 1) ? 2 * pages : pages,
    );
    for (const entry of this.entries()) larger.index.insert(entry);
    return larger;
  }

  /** What its last user saw of the directory: who sees the same may trust it. */
  get proof(): bigint {
    return this.header[H.proof] ?? 0n;
  }

  /** Number of entries. */
  get size(): number {
    return Number(this.header[H.entries]);
  }

  /** Writes what was changed, and the header last. Until then an image in a file is that of before. */
  seal(proof: bigint): void {
    this.image.save();
    this.header[H.proof] = proof;
    this.header[H.checksum] = checksum(this.header);
    this.bytes.write(0, bytesOf(this.header));
  }

  /** Whether another entry fits in well; else a larger index is due. */
  hasRoom(): boolean {
    return !this.isFull(H.entries, H.buckets, PLACES) && !this.isFull(H.usedPages, H.pages, 1);
  }

  /** Whether half of the places are used: with more, entries stand in other pieces than their own. */
  private isFull(used: number, pieces: number, places: number): boolean {
    const word = (place: number): bigint => this.header[place] ?? 0n;
    return word(used) * 2n >= word(pieces) * BigInt(places);
  }

  /** Whether something holds the address. */
  holds(address: IpAddress): boolean {
    return this.addresses.holds(address);
  }

  /** All entries of an owner, and possibly of another with the same number. */
  find(owner: bigint): IndexEntry[] {
    return this.owners.find(owner);
  }

  insert(entry: IndexEntry): void {
    this.owners.insert(entry);
    const newPage = this.addresses.mark(entry.address, true);
    this.count(H.entries, 1n);
    if (newPage) this.count(H.usedPages, 1n);
  }

  remove({ owner, address }: Pick<IndexEntry, "owner" | "address">): void {
    if (!this.owners.remove(owner, address)) return;
    this.addresses.mark(address, false);
    this.count(H.entries, -1n);
  }

  /** The first address of the interval that nothing holds; undefined if there is none. */
  nextFree(interval: Interval): bigint | undefined {
    return this.addresses.nextFree(interval);
  }

  /** So many entries, drawn at random; fewer if there are fewer, or they are thinly sown. */
  sample(count: number): IndexEntry[] {
    return this.owners.sample(count);
  }

  entries(): Generator<IndexEntry> {
    return this.owners.entries();
  }

  private count(place: number, difference: bigint): void {
    this.header[place] = (this.header[place] ?? 0n) + difference;
  }
}

const checksum = (header: BigUint64Array): bigint => BigInt(Bun.hash(header.subarray(0, H.checksum)));

/** The index with another entry, or a larger one if it has no room for the next. For one that takes in many. */
export function withEntry(built: Built, entry: IndexEntry): Built {
  built.index.insert(entry);
  return built.index.hasRoom() ? built : built.index.grown();
}
