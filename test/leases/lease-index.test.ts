import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashOf, LeaseIndex, NO_LEASE } from "../../src/leases/lease-index.ts";
import { formatIp, type IpAddress } from "../../src/net/ip.ts";

const v4 = (value: number): IpAddress => ({ family: 4, value: BigInt(value) });
const v6 = (value: bigint): IpAddress => ({ family: 6, value });
const WHOLE = { family: 4, from: 0n, to: 2n ** 32n - 1n } as const;

type Lease = readonly [content: string, address: IpAddress];

function indexOf(leases: Iterable<Lease>): LeaseIndex {
  const index = new LeaseIndex();
  for (const [content, address] of leases)
    index.insert({ hash: hashOf(content), address, ...fileOf(address) });
  return index;
}

/** Inode and change time that only the file of this address has. */
const fileOf = ({ family, value }: IpAddress) => ({
  inode: BigInt(family) * 2n ** 60n + (value % 2n ** 59n),
  changed: value % 7n,
});

/** Every row as text, which shows that its columns still belong together. */
const rowsOf = (index: LeaseIndex): string[] =>
  Array.from({ length: index.rows }, (_, row) => {
    const { hash, address, inode, changed } = index.entry(row);
    expect({ inode, changed }).toEqual(fileOf(address));
    return `${hash} ${formatIp(address)}`;
  }).sort();
const wordsOf = (leases: Iterable<Lease>) =>
  Array.from(leases, ([content, address]) => `${hashOf(content)} ${formatIp(address)}`).sort();

/** Few contents and addresses, so that they collide, and at the limits of words and families. */
const anyAddress = fc.oneof(
  fc.integer({ min: 4090, max: 4102 }).map(v4),
  fc.integer({ min: 0, max: 6 }).map((n) => v6((0xfd00n << 112n) + BigInt(n))),
  fc.constantFrom(0n, 1n, 4095n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 128n - 1n).map(v6),
);
const anyLease = fc.tuple(fc.constantFrom("a", "b", "c"), anyAddress);

describe("the index equals a list of leases", () => {
  const anySteps = fc.array(fc.record({ remove: fc.boolean(), lease: anyLease }), { maxLength: 60 });

  test("L6: after any insertions and removals", () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const index = new LeaseIndex();
        const list = new Map<string, Lease>();
        for (const { remove, lease } of steps) {
          const [content, address] = lease;
          const key = formatIp(address);
          if (remove) index.remove(address);
          else if (!list.has(key)) index.insert({ hash: hashOf(content), address, ...fileOf(address) });
          if (remove) list.delete(key);
          else if (!list.has(key)) list.set(key, lease);
        }
        expect(rowsOf(index)).toEqual(wordsOf(list.values()));
        for (const content of ["a", "b", "c", "another"]) {
          const expected = [...list].filter(([, lease]) => lease[0] === content).map(([name]) => name);
          expect(index.find(content).map(formatIp).sort()).toEqual(expected.sort());
        }
        for (let from = 4088; from < 4106; from++) {
          let expected = from;
          while (expected <= 4104 && list.has(formatIp(v4(expected)))) expected++;
          const free = index.firstFree({ family: 4, from: BigInt(from), to: 4104n });
          expect(free).toEqual(expected <= 4104 ? v4(expected) : undefined);
        }
      }),
    );
  });

  test("L6: at any size it finds all leases and the gaps", () => {
    for (const size of [0, 1, 15, 16, 17, 36, 5_000]) {
      const leases = Array.from({ length: size }, (_, n): Lease => [`c${n}`, v4(2 * n)]);
      const index = indexOf(leases);
      expect(index.rows).toBe(size);
      for (const [content, address] of leases) expect(index.find(content)).toEqual([address]);
      expect(index.firstFree(WHOLE)).toEqual(v4(size === 0 ? 0 : 1));
    }
  });

  test("L6: a full interval is skipped, even a whole /16", () => {
    const index = indexOf(Array.from({ length: 20_000 }, (_, n): Lease => [`c${n}`, v4(n)]));
    const within = (from: bigint) => index.firstFree({ family: 4, from, to: 19_999n });
    expect(index.firstFree({ ...WHOLE, from: 5n })).toEqual(v4(20_000));
    expect(within(5n)).toBeUndefined();
    index.remove(v4(12_345));
    expect([within(5n), within(12_345n), within(12_346n)]).toEqual([v4(12_345), v4(12_345), undefined]);
    // Across the limits of 32 and of 64 bits.
    for (const start of [2n ** 32n - 50n, 2n ** 64n - 50n]) {
      const across = indexOf(Array.from({ length: 100 }, (_, n): Lease => ["c", v6(start + BigInt(n))]));
      expect(across.firstFree({ family: 6, from: start, to: start + 200n })).toEqual(v6(start + 100n));
    }
    // Other addresses with the same lowest 32 bits do not count.
    for (const elsewhere of [2n ** 32n, 2n ** 64n, 2n ** 96n]) {
      const numbers = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, elsewhere + 8n];
      const index = indexOf(numbers.map((n): Lease => ["c", v6(2n ** 112n + n)]));
      expect(index.firstFree({ family: 6, from: 2n ** 112n, to: 2n ** 113n })).toEqual(v6(2n ** 112n + 8n));
    }
    // The same numbers in the other family are other addresses.
    expect(index.firstFree({ family: 6, from: 5n, to: 5n })).toEqual(v6(5n));
  });

  test("a content may have any number of addresses", () => {
    const index = new LeaseIndex();
    for (let n = 0; n < 300; n++) {
      const hash = n % 3 === 0 ? NO_LEASE : hashOf("c");
      index.insert({ hash, address: v4(n), ...fileOf(v4(n)) });
    }
    expect(index.find("c")).toHaveLength(200);
    index.remove(v4(4));
    expect(index.find("c")).toHaveLength(199);
    expect(index.firstFree(WHOLE)).toEqual(v4(4));
  });
});

describe("an index in a file", () => {
  const leases = Array.from({ length: 60 }, (_, n): Lease => [`c${n}`, v4(n * 100)]);
  const sealed = () => Uint8Array.from(indexOf(leases).seal("this boot", "as it was"));

  test("L6: opens with its entries, its boot and the directory's state", () => {
    const index = LeaseIndex.open(sealed(), "this boot");
    if (index === undefined) throw new Error("not opened");
    expect(rowsOf(index)).toEqual(wordsOf(leases));
    expect(LeaseIndex.open(sealed(), "another boot")).toBeUndefined();
    expect([index.isOfState("as it was"), index.isOfState("another")]).toEqual([true, false]);
    index.insert({ hash: hashOf("new"), address: v4(7), ...fileOf(v4(7)) });
    const again = LeaseIndex.open(Uint8Array.from(index.seal("next", "then")), "next");
    expect(again && rowsOf(again)).toEqual(wordsOf([...leases, ["new", v4(7)]]));
  });

  test("L6: is not opened if any byte was changed", () => {
    const bytes = sealed();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] ?? 0) ^ difference;
        expect(LeaseIndex.open(damaged, "this boot")).toBeUndefined();
      }),
    );
  });

  const OTHERS: readonly [name: string, of: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>][] = [
    ["not sealed", () => new Uint8Array(new LeaseIndex().seal("", "").length)],
    ["empty", (bytes) => bytes.slice(0, 0)],
    ["cut within a word", (bytes) => bytes.slice(0, 63)],
    ["cut within its columns", (bytes) => bytes.slice(0, bytes.length - 40)],
    ["one row longer", (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(40)])],
    ["all zeros", () => new Uint8Array(40 + 40 * 16)],
    ["of another version", (bytes) => Uint8Array.from([1, ...bytes.subarray(1)])],
    [
      "half of an earlier one",
      (bytes) => Uint8Array.from([...bytes.subarray(0, 800), ...earlier().subarray(800)]),
    ],
    [
      "one whose rows changed places",
      (bytes) =>
        Uint8Array.from([
          ...bytes.subarray(0, 40),
          ...bytes.subarray(48, 56),
          ...bytes.subarray(40, 48),
          ...bytes.subarray(56),
        ]),
    ],
  ];
  const earlier = () => {
    const index = indexOf(leases);
    index.remove(v4(5_000));
    return index.seal("this boot", "before");
  };
  test.each(OTHERS)("L6: is not opened if it is %s", (_, of) => {
    expect(LeaseIndex.open(of(sealed()), "this boot")).toBeUndefined();
  });
});

test("no content has the hash that means: not a lease", () => {
  fc.assert(fc.property(fc.string(), (content) => hashOf(content) !== NO_LEASE));
  expect(hashOf(undefined)).toBe(NO_LEASE);
});
