import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DamagedIndexError, hashOf, LeaseIndex, NO_LEASE } from "../../src/leases/lease-index.ts";
import { formatIp, type IpAddress } from "../../src/net/ip.ts";

const v4 = (value: number): IpAddress => ({ family: 4, value: BigInt(value) });
const v6 = (value: bigint): IpAddress => ({ family: 6, value });

type Lease = readonly [content: string, address: IpAddress];

function insert(index: LeaseIndex, [content, address]: Lease): void {
  index.insert({ hash: hashOf(content), address, ...fileOf(address) });
}

function indexOf(leases: Iterable<Lease>): LeaseIndex {
  const index = new LeaseIndex(0);
  for (const lease of leases) insert(index, lease);
  return index;
}

/** Inode and change time that only the file of this address has. */
const fileOf = ({ family, value }: IpAddress) => ({
  inode: BigInt(family) * 2n ** 60n + (value % 2n ** 59n),
  changed: value % 7n,
});

/** Every row as text, which shows that its columns still belong together. */
const rowsOf = (index: LeaseIndex): string[] => {
  const rows = [...index.entries()].map(({ hash, address, inode, changed }) => {
    expect({ inode, changed }).toEqual(fileOf(address));
    return `${hash} ${formatIp(address)}`;
  });
  expect(index.rows).toBe(rows.length);
  return rows.sort();
};
const wordsOf = (leases: Iterable<Lease>) =>
  Array.from(leases, ([content, address]) => `${hashOf(content)} ${formatIp(address)}`).sort();

type Part = readonly [bytes: Uint8Array<ArrayBuffer>, offset: number];

/** What sealing writes. */
function partsOf(index: LeaseIndex, boot: string, state: string): Part[] {
  const parts: Part[] = [];
  index.seal(boot, state, ({ buffer, byteOffset, byteLength }, offset) => {
    parts.push([new Uint8Array(buffer, byteOffset, byteLength).slice(), offset]);
  });
  return parts;
}

/** A file in memory. */
class File {
  bytes = new Uint8Array();

  write(parts: readonly Part[], most = Number.POSITIVE_INFINITY): this {
    let left = most;
    for (const [bytes, offset] of parts) {
      const written = bytes.subarray(0, left);
      left -= written.length;
      const larger = new Uint8Array(
        Math.max(this.bytes.length, written.length > 0 ? offset + written.length : 0),
      );
      larger.set(this.bytes);
      larger.set(written, offset);
      this.bytes = larger;
    }
    return this;
  }

  copy(): File {
    const copy = new File();
    copy.bytes = this.bytes.slice();
    return copy;
  }

  read({ buffer, byteLength }: BigUint64Array<ArrayBuffer>, offset: number): void {
    new Uint8Array(buffer).set(this.bytes.subarray(offset, offset + byteLength));
  }

  open(boot = "this boot"): LeaseIndex | undefined {
    return LeaseIndex.open((words, offset) => this.read(words, offset), this.bytes.length, boot);
  }

  /** All rows, if nothing is wrong with any part. */
  rows(): string[] | undefined {
    try {
      const index = this.open();
      return index && rowsOf(index);
    } catch (error) {
      if (error instanceof DamagedIndexError) return undefined;
      throw error;
    }
  }
}

const fileWith = (index: LeaseIndex): File => new File().write(partsOf(index, "this boot", "as it was"));

/** Few contents and addresses, so that they collide, and at the limits of words and families. */
const anyAddress = fc.oneof(
  fc.integer({ min: 4090, max: 4102 }).map(v4),
  fc.integer({ min: 0, max: 6 }).map((n) => v6((0xfd00n << 112n) + BigInt(n))),
  fc.constantFrom(0n, 1n, 4095n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 128n - 1n).map(v6),
);
const anyLease = fc.tuple(fc.constantFrom("a", "b", "c"), anyAddress);

describe("the index equals a list of leases", () => {
  const anySteps = fc.array(
    fc.record({ kind: fc.constantFrom("insert", "remove", "file"), lease: anyLease }),
    { maxLength: 60 },
  );

  test("L6: after any insertions, removals and ways through its file", () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        let index = new LeaseIndex(0);
        const list = new Map<string, Lease>();
        const file = new File();
        for (const { kind, lease } of steps) {
          const [content, address] = lease;
          const key = formatIp(address);
          if (kind === "file") {
            const again = file.write(partsOf(index, "this boot", key)).open();
            expect(again?.isOfState(key)).toBe(true);
            index = again ?? index;
          } else if (kind === "remove") {
            const isThere = list.get(key)?.[0] === content;
            expect(index.remove(address, content)).toBe(isThere);
            if (isThere) list.delete(key);
          } else if (!list.has(key)) {
            insert(index, lease);
            list.set(key, lease);
          }
        }
        for (const content of ["a", "b", "c", "another"]) {
          const expected = [...list].filter(([, lease]) => lease[0] === content).map(([name]) => name);
          expect(index.find(content).map(formatIp).sort()).toEqual(expected.sort());
        }
        for (let from = 4088; from < 4106; from++) {
          let expected = from;
          while (list.has(formatIp(v4(expected)))) expected++;
          expect(index.run(v4(from))).toBe(BigInt(expected - from));
        }
        expect(rowsOf(index)).toEqual(wordsOf(list.values()));
      }),
    );
  });

  test("L6: at any size it finds all leases and the gaps, and reads few pages for one", () => {
    for (const size of [0, 1, 31, 32, 33, 65, 5_000]) {
      const leases = Array.from({ length: size }, (_, n): Lease => [`c${n}`, v4(2 * n)]);
      const made = indexOf(leases);
      expect(made.rows).toBe(size);
      expect(made.run(v4(0))).toBe(size === 0 ? 0n : 1n);
      const file = fileWith(made);
      for (const [content, address] of leases) {
        let read = 0;
        const counting = (words: BigUint64Array<ArrayBuffer>, offset: number) => {
          read += words.byteLength;
          file.read(words, offset);
        };
        const index = LeaseIndex.open(counting, file.bytes.length, "this boot");
        expect(index?.find(content)).toEqual([address]);
        expect(read).toBeLessThan(8_000);
        expect(index?.remove(address, content)).toBe(true);
        let written = 0;
        index?.seal("this boot", "then", ({ byteLength }) => {
          written += byteLength;
        });
        expect(written).toBeLessThan(5_000);
      }
    }
  });

  test("L6: a row of held addresses is passed, even a whole /16", () => {
    const index = indexOf(Array.from({ length: 20_000 }, (_, n): Lease => [`c${n}`, v4(n)]));
    expect(index.run(v4(5))).toBe(19_995n);
    index.remove(v4(12_345), "c12345");
    expect([index.run(v4(5)), index.run(v4(12_345)), index.run(v4(12_346))]).toEqual([12_340n, 0n, 7_654n]);
    // Across the limits of 32 and of 64 bits the row may seem shorter, never longer.
    for (const start of [2n ** 32n - 50n, 2n ** 64n - 50n]) {
      const across = indexOf(Array.from({ length: 100 }, (_, n): Lease => ["c", v6(start + BigInt(n))]));
      expect(across.run(v6(start))).toBe(50n);
      expect(across.run(v6(start + 50n))).toBe(50n);
    }
    // Other addresses with the same lowest 32 bits do not count.
    for (const elsewhere of [2n ** 32n, 2n ** 64n, 2n ** 96n]) {
      const numbers = [0n, 1n, 2n, elsewhere + 3n];
      const other = indexOf(numbers.map((n): Lease => ["c", v6(2n ** 112n + n)]));
      expect(other.run(v6(2n ** 112n))).toBe(3n);
    }
    // The same numbers in the other family are other addresses.
    expect(index.run(v6(5n))).toBe(0n);
  });

  test("a content may have any number of addresses, more than a page", () => {
    const made = new LeaseIndex(0);
    for (let n = 0; n < 1000; n++) {
      const hash = n % 3 === 0 ? NO_LEASE : hashOf("c");
      made.insert({ hash, address: v4(n), ...fileOf(v4(n)) });
    }
    for (const index of [made, fileWith(made).open()]) {
      expect(index?.find("c")).toHaveLength(666);
      expect(index?.find(undefined)).toHaveLength(334);
      for (let n = 1; n < 900; n += 3) expect(index?.remove(v4(n), "c")).toBe(true);
      expect(index?.find("c")).toHaveLength(366);
      expect(index?.run(v4(2))).toBe(2n);
    }
  });

  test("L6: a sample is of at most so many entries, and each entry comes to its turn", () => {
    const few = indexOf(Array.from({ length: 5 }, (_, n): Lease => ["c", v4(n)]));
    expect(few.some(8, () => Number.NaN)).toHaveLength(5);
    const many = indexOf(Array.from({ length: 1_000 }, (_, n): Lease => [`c${n}`, v4(n)]));
    const seen = new Set<bigint>();
    let limit = 1;
    for (let at = 0; at < limit; at++) {
      const entries = many.some(8, (most) => {
        limit = most;
        return at;
      });
      expect(entries.length).toBeLessThanOrEqual(8);
      for (const { address } of entries) seen.add(address.value);
    }
    expect(seen.size).toBe(1_000);
  });
});

describe("an index in a file", () => {
  const leases = Array.from({ length: 80 }, (_, n): Lease => [`c${n}`, v4(n * 100)]);
  const whole = () => fileWith(indexOf(leases));

  test("L6: opens with its entries, its boot and the directory's state", () => {
    const file = whole();
    expect(file.rows()).toEqual(wordsOf(leases));
    expect(file.open("another boot")).toBeUndefined();
    const index = file.open();
    expect([index?.isOfState("as it was"), index?.isOfState("another")]).toEqual([true, false]);
    expect(index?.size).toBe(file.bytes.length);
  });

  test("L6: does not give what was damaged, whichever byte it is", () => {
    const { bytes } = whole();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const damaged = whole();
        damaged.bytes[at] = (damaged.bytes[at] ?? 0) ^ difference;
        expect(damaged.rows()).toBeUndefined();
      }),
    );
  });

  test("L6: torn at any byte of what a command writes, it is as before, or not used", () => {
    const file = whole();
    const before = file.rows();
    const index = file.open();
    if (index === undefined) throw new Error("not opened");
    insert(index, ["new", v4(7)]);
    index.remove(v4(500), "c5");
    const parts = partsOf(index, "this boot", "then");
    const total = parts.reduce((sum, [bytes]) => sum + bytes.length, 0);
    const outcomes = new Set<string>();
    for (let most = 0; most <= total; most++) {
      const torn = file.copy().write(parts, most);
      const rows = torn.rows();
      outcomes.add(rows === undefined ? "not used" : String(rows));
      // The head comes last: until then the index is of the directory's earlier state, which no longer is.
      if (most < total) expect(torn.open()?.isOfState("then") ?? false).toBe(false);
    }
    const after = wordsOf([...leases.filter(([content]) => content !== "c5"), ["new", v4(7)]]);
    expect(outcomes).toEqual(new Set([String(before), "not used", String(after)]));
  });

  const OTHERS: readonly [name: string, of: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>][] = [
    ["not sealed", (bytes) => new Uint8Array(bytes.length)],
    ["empty", (bytes) => bytes.slice(0, 0)],
    ["cut within a word", (bytes) => bytes.slice(0, 63)],
    ["cut within its pages", (bytes) => bytes.slice(0, bytes.length - 40)],
    ["without its last page", (bytes) => bytes.slice(0, bytes.length - 2048 - 8)],
    ["one page longer", (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(2048 + 8)])],
    ["of another version", (bytes) => Uint8Array.from([2, ...bytes.subarray(1)])],
    [
      "half of an earlier one",
      (bytes) => Uint8Array.from([...bytes.subarray(0, 4_000), ...earlier().subarray(4_000)]),
    ],
    [
      "one whose pages changed places",
      (bytes) =>
        Uint8Array.from([
          ...bytes.subarray(0, -4096),
          ...bytes.subarray(-2048),
          ...bytes.subarray(-4096, -2048),
        ]),
    ],
  ];
  const earlier = () => {
    const index = indexOf(leases);
    for (const [content, address] of leases.slice(0, 40)) index.remove(address, content);
    return fileWith(index).bytes;
  };
  test.each(OTHERS)("L6: is not used if it is %s", (_, of) => {
    const file = whole();
    file.bytes = of(file.bytes);
    expect(file.rows()).toBeUndefined();
  });

  test("L6: of the version before, it is not used", () => {
    const file = new File();
    const words = new BigUint64Array(5 + 5 * 16);
    words[0] = 0x42_48_69_6e_64_65_78_02n;
    file.bytes = new Uint8Array(words.buffer);
    expect(file.rows()).toBeUndefined();
  });
});

test("no content has the hash that means: not a lease", () => {
  fc.assert(fc.property(fc.string(), (content) => hashOf(content) !== NO_LEASE));
  expect(hashOf(undefined)).toBe(NO_LEASE);
});
