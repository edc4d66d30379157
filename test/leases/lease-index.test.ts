import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BrokenIndexError, memoryBytes } from "../../src/leases/index-image.ts";
import { LeaseIndex } from "../../src/leases/lease-index.ts";
import { type IndexEntry, NOBODY, ownerOf, PLACES } from "../../src/leases/owner-table.ts";
import { formatIp, type IpAddress } from "../../src/net/ip.ts";

const entry = (owner: string, address: IpAddress, changed = 1n): IndexEntry => ({
  owner: ownerOf(owner),
  address,
  inode: 7n,
  changed,
});

const v4 = (value: number): IpAddress => ({ family: 4, value: BigInt(value) });
const v6 = (value: bigint): IpAddress => ({ family: 6, value });
const seen = (entries: Iterable<IndexEntry>) =>
  [...entries].map(({ owner, address }) => `${owner} ${formatIp(address)}`).sort();

/** Few owners and addresses near the borders of chunks and families, so that they meet. */
const anyAddress = fc.oneof(
  fc.integer({ min: 4090, max: 4102 }).map(v4),
  fc.integer({ min: 0, max: 6 }).map((n) => v6((0xfd00n << 112n) + BigInt(n))),
  fc.constantFrom(0n, 1n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 128n - 1n).map(v6),
);
const anyEntry = fc
  .tuple(fc.constantFrom("a", "b", "c"), anyAddress)
  .map(([owner, address]) => entry(owner, address));

describe("the index equals a list of entries", () => {
  const anySteps = fc.array(fc.record({ remove: fc.boolean(), entry: anyEntry }), { maxLength: 60 });

  test("L6: after any insertions and removals", () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const { index } = LeaseIndex.build([]);
        const list = new Map<string, IndexEntry>();
        for (const { remove, entry } of steps) {
          const key = formatIp(entry.address);
          const there = list.get(key);
          if (remove && there !== undefined) {
            index.remove(there);
            list.delete(key);
          } else if (!remove && there === undefined && index.hasRoom()) {
            index.insert(entry);
            list.set(key, entry);
          }
        }
        expect(seen(index.entries())).toEqual(seen(list.values()));
        expect(index.size).toBe(list.size);
        for (const owner of ["a", "b", "c", "nobody"]) {
          const expected = [...list.values()].filter((each) => each.owner === ownerOf(owner));
          expect(seen(index.find(ownerOf(owner)))).toEqual(seen(expected));
        }
        const taken = new Set(list.keys());
        for (let from = 4088; from < 4106; from++) {
          let expected: number | undefined = from;
          while (expected <= 4104 && taken.has(formatIp(v4(expected)))) expected++;
          if (expected > 4104) expected = undefined;
          const free = index.nextFree({ family: 4, from: BigInt(from), to: 4104n });
          expect(free).toBe(expected === undefined ? undefined : BigInt(expected));
        }
      }),
    );
  });

  test("L6: at any size it finds all, and the gaps", () => {
    for (const size of [0, 1, 42, 43, 85, 86, 5_000]) {
      const entries = Array.from({ length: size }, (_, n) => entry(`owner ${n}`, v4(2 * n)));
      const { index } = LeaseIndex.build(entries);
      expect(index.hasRoom()).toBe(true);
      expect(index.size).toBe(size);
      for (const each of entries) expect(index.find(each.owner)).toEqual([each]);
      expect(index.nextFree({ family: 4, from: 0n, to: 2n ** 32n - 1n })).toBe(size === 0 ? 0n : 1n);
    }
  });

  test("L6: full chunks are passed over, also a whole /16", () => {
    const entries = Array.from({ length: 20_000 }, (_, n) => entry(`owner ${n}`, v4(n)));
    const { index } = LeaseIndex.build(entries);
    expect(index.nextFree({ family: 4, from: 5n, to: 2n ** 32n - 1n })).toBe(20_000n);
    expect(index.nextFree({ family: 4, from: 5n, to: 19_999n })).toBeUndefined();
    index.remove(entry("owner 12345", v4(12_345)));
    expect(index.nextFree({ family: 4, from: 5n, to: 19_999n })).toBe(12_345n);
    expect(index.nextFree({ family: 4, from: 12_346n, to: 19_999n })).toBeUndefined();
  });

  test("more addresses of one owner than a bucket has places", () => {
    const entries = Array.from({ length: PLACES * 3 }, (_, n) => ({ ...entry("", v4(n)), owner: NOBODY }));
    const { index } = LeaseIndex.build(entries);
    expect(index.find(NOBODY)).toHaveLength(PLACES * 3);
    index.remove({ owner: NOBODY, address: v4(PLACES + 3) });
    expect(index.find(NOBODY)).toHaveLength(PLACES * 3 - 1);
    expect(index.nextFree({ family: 4, from: 0n, to: 2n ** 32n - 1n })).toBe(BigInt(PLACES + 3));
  });

  test("it asks for a larger one in time", () => {
    const { index } = LeaseIndex.build([]);
    let inserted = 0;
    while (index.hasRoom()) index.insert(entry(`owner ${inserted}`, v4(inserted++)));
    expect(inserted).toBeGreaterThanOrEqual(Math.floor(PLACES / 2));
    expect(index.size).toBe(inserted);
    const scattered = LeaseIndex.build([]).index;
    let chunks = 0;
    while (scattered.hasRoom()) scattered.insert(entry("x", v6(BigInt(chunks++) << 64n)));
    expect(chunks).toBeGreaterThanOrEqual(4);
  });

  test("a sample holds entries of the index, all when they are few", () => {
    const entries = Array.from({ length: 5 }, (_, n) => entry(`owner ${n}`, v4(n)));
    const { index } = LeaseIndex.build(entries);
    expect(seen(index.sample(8))).toEqual(seen(entries));
    expect(index.sample(2)).toHaveLength(2);
  });
});

describe("an image", () => {
  const entries = Array.from({ length: 60 }, (_, n) => entry(`owner ${n}`, v4(n * 100)));

  function sealed() {
    const { index, image } = LeaseIndex.build(entries);
    index.seal(42n);
    return image;
  }

  test("L6: opens with what was put in, and its proof", () => {
    const index = LeaseIndex.open(memoryBytes(sealed()));
    expect(index.proof).toBe(42n);
    expect(index.size).toBe(60);
    expect(seen(index.entries())).toEqual(seen(entries));
  });

  test("L6: without its seal it is not opened", () => {
    expect(() => LeaseIndex.open(memoryBytes(LeaseIndex.build(entries).image))).toThrow(BrokenIndexError);
  });

  test("L6: any change of a byte is noticed where it matters, or changes nothing", () => {
    const image = sealed();
    fc.assert(
      fc.property(fc.nat(image.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const damaged = image.slice();
        damaged[at] = (damaged[at] ?? 0) ^ difference;
        let found: string[];
        try {
          const index = LeaseIndex.open(memoryBytes(damaged));
          found = seen(index.entries());
          for (const each of entries) expect(index.find(each.owner)).toEqual([each]);
          expect(index.nextFree({ family: 4, from: 0n, to: 0n })).toBeUndefined();
          expect(index.nextFree({ family: 4, from: 1n, to: 1n })).toBe(1n);
        } catch (error) {
          expect(error).toBeInstanceOf(BrokenIndexError);
          return;
        }
        expect(found).toEqual(seen(entries));
      }),
    );
  });

  test("L6: cut short, empty, of zeros, or of another kind, it is noticed", () => {
    const image = sealed();
    const open = (bytes: Uint8Array) => () => seen(LeaseIndex.open(memoryBytes(bytes)).entries());
    expect(open(image)).not.toThrow();
    for (const bytes of [
      image.subarray(0, 0),
      image.subarray(0, 63),
      image.subarray(0, 5000),
      new Uint8Array(9000),
    ]) {
      expect(open(bytes)).toThrow(BrokenIndexError);
    }
  });

  test("L6: pieces of an earlier image in a later one are noticed", () => {
    const [earlier, later] = [sealed(), sealed()];
    later.set(earlier.subarray(4096), 4096);
    expect(() => seen(LeaseIndex.open(memoryBytes(later)).entries())).toThrow(BrokenIndexError);
  });

  test("L6: pieces that changed places are noticed", () => {
    const image = sealed();
    const [first, second] = [image.slice(4096, 8192), image.slice(8192, 12288)];
    image.set(second, 4096);
    image.set(first, 8192);
    expect(() => seen(LeaseIndex.open(memoryBytes(image)).entries())).toThrow(BrokenIndexError);
  });
});

test("owner numbers are never those that mean something else", () => {
  fc.assert(fc.property(fc.string(), (content) => ownerOf(content) > NOBODY));
});
