/** Any object survives encoding and decoding, and so do attributes that the decoder does not know. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Request } from "../../../src/netlink/connection.ts";
import { DecodeError } from "../../../src/netlink/error.ts";
import type { Message } from "../../../src/netlink/message.ts";
import { addChain, type Chain, decodeChain } from "../../../src/netlink/nftables/chain.ts";
import type { Data } from "../../../src/netlink/nftables/data.ts";
import {
  addElements,
  concatenate,
  decodeElements,
  decodeSomeElements,
  type Element,
} from "../../../src/netlink/nftables/element.ts";
import type { Expression } from "../../../src/netlink/nftables/expression.ts";
import { tableFamily } from "../../../src/netlink/nftables/header.ts";
import { addRule, decodeRule, type Rule } from "../../../src/netlink/nftables/rule.ts";
import { addSet, type DataType, dataType, decodeSet } from "../../../src/netlink/nftables/set.ts";
import { addTable, decodeTable, type Table } from "../../../src/netlink/nftables/table.ts";
import { comment, commentOf, USER_DATA } from "../../../src/netlink/nftables/userdata.ts";

const asMessage = ({ type, flags, payload }: Request): Message => ({
  type,
  flags,
  payload,
  sequence: 0,
  port: 0,
});

const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_.-]{0,60}$/);
const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const family = fc.constantFrom(...(Object.keys(tableFamily) as (keyof typeof tableFamily)[]));
const userData = fc.option(
  fc.array(fc.record({ type: fc.integer({ min: 0, max: 255 }), value: bytes(0, 40) }), {
    minLength: 1,
    maxLength: 4,
  }),
  { nil: undefined },
);
/** Attributes of a type that no codec knows. */
const unknown = fc.array(fc.record({ type: fc.integer({ min: 200, max: 250 }), payload: bytes(0, 12) }), {
  minLength: 1,
  maxLength: 2,
});

const data: fc.Arbitrary<Data> = fc.oneof(
  fc.record({ value: bytes(1, 64) }),
  fc.record({ verdict: fc.constantFrom("drop", "accept", "continue", "break", "return") }),
  fc.record({ verdict: fc.constantFrom("jump", "goto"), chain: name }),
);

const maskAndXor = fc
  .integer({ min: 1, max: 16 })
  .chain((length) => fc.tuple(bytes(length, length), bytes(length, length)));

const expression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({ name: fc.constant("payload"), register: u32, base: u32, offset: u32, length: u32 }),
  fc.record({ name: fc.constant("cmp"), register: u32, operator: u32, value: bytes(1, 16) }),
  fc
    .tuple(u32, u32, maskAndXor)
    .map(([source, target, [mask, xor]]) => ({ name: "bitwise", source, target, mask, xor }) as const),
  fc.record({ name: fc.constant("meta"), register: u32, key: u32 }),
  fc.record(
    {
      name: fc.constant("lookup"),
      set: name,
      register: u32,
      target: u32,
      inverted: fc.constant(true),
    },
    { requiredKeys: ["name", "set", "register"] },
  ),
  fc.record({ name: fc.constant("immediate"), register: u32, data }),
  fc.record({ name: fc.constant("counter"), packets: u64, bytes: u64 }),
  fc.record({ name: fc.constant("masq"), flags: u32 }, { requiredKeys: ["name"] }),
  fc.record({
    name: fc.constantFrom("match", "target"),
    extension: name,
    revision: u32,
    info: bytes(0, 64),
  }),
  fc.record({
    name: fc.constant("unknown"),
    kind: fc.constant("quota"),
    data: fc.constant(new Uint8Array(8)),
  }),
) as fc.Arbitrary<Expression>;

/** An object without its undefined fields. */
const defined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

describe("decoding gives what was encoded", () => {
  test("tables", () => {
    const tables = fc
      .record({ family, table: name, flags: u32, userData, unknown: fc.option(unknown, { nil: undefined }) })
      .map(defined) as fc.Arbitrary<Table>;
    fc.assert(
      fc.property(tables, (table: Table) => {
        expect(decodeTable(asMessage(addTable(table)))).toEqual(table);
      }),
    );
  });

  test("chains", () => {
    const base = fc.record({
      type: fc.constantFrom("filter", "nat", "route"),
      hook: fc.integer({ min: 0, max: 5 }),
      priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      policy: fc.integer({ min: 0, max: 1 }),
    });
    const chains = fc
      .record({
        family,
        table: name,
        chain: name,
        base: fc.option(base, { nil: undefined }),
        userData,
        unknown: fc.option(unknown, { nil: undefined }),
      })
      .map(defined) as fc.Arbitrary<Chain>;
    fc.assert(
      fc.property(chains, (chain) => {
        expect(decodeChain(asMessage(addChain(chain)))).toEqual(chain);
      }),
    );
  });

  test("rules, with expressions of each kind", () => {
    const rules = fc
      .record({
        family,
        table: name,
        chain: name,
        expressions: fc.array(expression, { maxLength: 8 }),
        userData,
      })
      .map(defined) as fc.Arbitrary<Rule>;
    fc.assert(
      fc.property(rules, u64, (rule, handle) => {
        // The kernel adds the handle; a request has it only as an attribute that the encoder does not know.
        const payload = new Uint8Array(8);
        new DataView(payload.buffer).setBigUint64(0, handle);
        const message = asMessage(addRule({ ...rule, unknown: [{ type: 3, payload }] }));
        expect(decodeRule(message)).toEqual({ ...rule, handle });
      }),
    );
  });

  test("sets: type and length of a concatenation are those of its parts", () => {
    const types = Object.keys(dataType) as DataType[];
    const key = fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(family, name, key, fc.boolean(), (table, set, parts, interval) => {
        const decoded = decodeSet(
          asMessage(addSet({ family: table, table: "t", set, key: parts, interval })),
        );
        expect(decoded).toMatchObject({ family: table, set });
        const numbers = parts.map((_, index) => (decoded.keyType >> (6 * (parts.length - 1 - index))) & 63);
        expect(numbers).toEqual(parts.map((part) => dataType[part].id));
        const whole = concatenate(...parts.map((part) => new Uint8Array(dataType[part].length)));
        expect(decoded.keyLength).toBe(
          parts.length === 1 ? dataType[parts[0] ?? "mark"].length : whole.length,
        );
        const lengths = parts.map((part) => ({ length: dataType[part].length }));
        expect(decoded.fields).toEqual(interval && parts.length > 1 ? lengths : undefined);
      }),
    );
  });

  test("elements", () => {
    const element = fc
      .record({
        key: bytes(1, 64),
        keyEnd: fc.option(bytes(1, 64), { nil: undefined }),
        intervalEnd: fc.option(fc.constant(true), { nil: undefined }),
        data: fc.option(data, { nil: undefined }),
        userData,
        unknown: fc.option(unknown, { nil: undefined }),
      })
      .map(defined) as fc.Arbitrary<Element>;
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), (elements) => {
        const message = asMessage(addElements({ family: "inet", table: "t", set: "s" }, elements));
        expect(decodeElements(message)).toEqual(elements);
        expect(decodeSomeElements(message, () => true)).toEqual(elements);
        let number = 0;
        const second = decodeSomeElements(message, () => number++ === 1);
        expect([second, number]).toEqual([elements.slice(1, 2), elements.length]);
      }),
    );
  });

  test("user data; bytes of another form are ignored", () => {
    fc.assert(
      fc.property(userData, (list) => {
        expect(USER_DATA.decode(USER_DATA.encode(list ?? []) ?? new Uint8Array(), 0)).toEqual(list ?? []);
      }),
    );
    expect(USER_DATA.decode(Uint8Array.of(0, 9, 1), 0)).toBeUndefined();
    expect(commentOf(undefined)).toBeUndefined();
    expect(() => USER_DATA.encode([comment("x".repeat(255))])).toThrow("256 bytes, at most 255 fit");
  });
});

test("an expression of a known kind in another form survives", () => {
  // A bitwise shift has no mask.
  const shift = { name: "unknown", kind: "bitwise", data: Uint8Array.fromHex("0800010000000001") } as const;
  const rule: Rule = { family: "ip", table: "t", chain: "c", expressions: [shift] };
  const handle = { type: 3, payload: new Uint8Array(8) };
  expect(decodeRule(asMessage(addRule({ ...rule, unknown: [handle] }))).expressions).toEqual([shift]);
});

test("a missing name, an unknown family or an unknown verdict is a DecodeError", () => {
  const message = (payload: string): Message => ({
    type: 0xa00,
    flags: 0,
    payload: Uint8Array.fromHex(payload),
    sequence: 0,
    port: 0,
  });
  for (const payload of ["", "63000000", "01000000"]) {
    expect(() => decodeTable(message(payload))).toThrow(DecodeError);
  }
});
