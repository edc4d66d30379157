/**
 * Leases by owner: a hash table in buckets of 4096 bytes. In 64-bit words: checksum, whether the bucket was full once
 * (then it goes on in the next), 85 owners of which 0 is a free place, and 85 records: address high, address low,
 * family, inode, change time.
 */
import type { IpAddress } from "../net/ip.ts";
import { randomBelow } from "../sys/random.ts";
import { BrokenIndexError, type IndexImage, type Piece } from "./index-image.ts";

/** One file that holds an address. */
export interface IndexEntry {
  /** Number of the trimmed content (see ownerOf); NOBODY for what is no lease but holds its address all the same. */
  readonly owner: bigint;
  readonly address: IpAddress;
  /** The file's inode number and change time (ns): while they stay, its content stays. */
  readonly inode: bigint;
  readonly changed: bigint;
}

/** The owner number of what is no lease but holds its address. */
export const NOBODY = 1n;

/** Owner number of a trimmed content. Equal numbers are only a hint: the file is read before anything is done. */
export function ownerOf(content: string): bigint {
  const hash = BigInt(Bun.hash(content));
  return hash <= NOBODY ? hash + 2n : hash;
}

/** Size of a bucket in the image, and how many owners have a place in it. */
export const BUCKET_BYTES = 4096;
export const PLACES = 85;
const FULL_ONCE = 1;
const OWNERS = 2;
const RECORDS = OWNERS + PLACES;
const RECORD_WORDS = 5;

export class OwnerTable {
  private readonly image: IndexImage;
  private readonly offset: number;
  private readonly buckets: number;

  constructor(image: IndexImage, offset: number, buckets: number) {
    this.image = image;
    this.offset = offset;
    this.buckets = buckets;
  }

  /** All entries of an owner, and possibly of another with the same number. */
  find(owner: bigint): IndexEntry[] {
    const found: IndexEntry[] = [];
    this.visit(owner, ({ words }) => {
      for (const place of placesOf(words, owner)) found.push(entryAt(words, place));
      return false;
    });
    return found;
  }

  insert(entry: IndexEntry): void {
    this.visit(entry.owner, (bucket) => {
      const at = bucket.words.indexOf(0n, OWNERS);
      const isFree = at >= 0 && at < RECORDS;
      if (isFree) putEntry(bucket.words, at - OWNERS, entry);
      else bucket.words[FULL_ONCE] = 1n;
      bucket.changed = true;
      return isFree;
    });
  }

  /** Forgets what an owner has at an address. False if it has nothing there. */
  remove(owner: bigint, address: IpAddress): boolean {
    return this.visit(owner, (bucket) => {
      for (const place of placesOf(bucket.words, owner)) {
        const found = entryAt(bucket.words, place).address;
        if (found.family !== address.family || found.value !== address.value) continue;
        bucket.words[OWNERS + place] = 0n;
        bucket.changed = true;
        return true;
      }
      return false;
    });
  }

  /** So many entries of one bucket, drawn at random; all if it has no more. */
  sample(count: number): IndexEntry[] {
    const { words } = this.bucket(randomBelow(this.buckets));
    const places = placesTaken(words);
    const from = places.length === 0 ? 0 : randomBelow(places.length);
    const around = [...places.slice(from), ...places.slice(0, from)];
    return around.slice(0, count).map((place) => entryAt(words, place));
  }

  *entries(): Generator<IndexEntry> {
    for (let number = 0; number < this.buckets; number++) {
      const { words } = this.image.peek(this.offset + number * BUCKET_BYTES, BUCKET_BYTES);
      for (const place of placesTaken(words)) yield entryAt(words, place);
    }
  }

  private bucket(number: number): Piece {
    return this.image.piece(this.offset + number * BUCKET_BYTES, BUCKET_BYTES);
  }

  /**
   * Visits the owner's bucket, and the following one as long as the one before was full once, until `isDone` says so.
   * Returns whether it did. Not a generator: the first one that a process runs costs an ADD 0.1 ms.
   */
  private visit(owner: bigint, isDone: (bucket: Piece) => boolean): boolean {
    for (let step = 0; step < this.buckets; step++) {
      const bucket = this.bucket(Number((owner + BigInt(step)) % BigInt(this.buckets)));
      if (isDone(bucket)) return true;
      // Read after the visit: insert() may just have found it full.
      if (bucket.words[FULL_ONCE] === 0n) return false;
    }
    throw new BrokenIndexError("all buckets are full");
  }
}

function placesTaken(words: BigUint64Array): number[] {
  const places: number[] = [];
  for (let place = 0; place < PLACES; place++) if (words[OWNERS + place] !== 0n) places.push(place);
  return places;
}

function placesOf(words: BigUint64Array, owner: bigint): number[] {
  const places: number[] = [];
  for (let at = words.indexOf(owner, OWNERS); at >= 0 && at < RECORDS; at = words.indexOf(owner, at + 1)) {
    places.push(at - OWNERS);
  }
  return places;
}

function entryAt(words: BigUint64Array, place: number): IndexEntry {
  const at = RECORDS + place * RECORD_WORDS;
  const word = (index: number): bigint => words[index] ?? 0n;
  const value = (word(at) << 64n) | word(at + 1);
  const address = { family: word(at + 2) === 4n ? 4 : 6, value } as const;
  return { owner: word(OWNERS + place), address, inode: word(at + 3), changed: word(at + 4) };
}

function putEntry(
  words: BigUint64Array,
  place: number,
  { owner, address, inode, changed }: IndexEntry,
): void {
  const { family, value } = address;
  const record = [value >> 64n, BigInt.asUintN(64, value), BigInt(family), inode, changed];
  words[OWNERS + place] = owner;
  words.set(record, RECORDS + place * RECORD_WORDS);
}
