import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Result } from "../../src/cni/result.ts";
import { formatResult } from "../../src/cni/result-format.ts";
import { parseResult } from "../../src/cni/result-parse.ts";
import { reduceTo } from "../../src/cni/result-version.ts";
import { SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import type { Family, IpAddress } from "../../src/net/ip.ts";
import type { Prefix } from "../../src/net/prefix.ts";

/** The fields that have a value. */
const present = <T extends object>(fields: { [Key in keyof T]: T[Key] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

const ofFamily = (family: Family): fc.Arbitrary<IpAddress> => {
  const value = family === 4 ? fc.bigInt(0n, 0xffff_ffffn) : fc.bigInt(1n << 64n, (1n << 128n) - 1n);
  return value.map((each) => ({ family, value: each }));
};
const address = fc.oneof(ofFamily(4), ofFamily(6));
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(address, fc.nat(128))
  .map(([each, length]) => ({ address: each, length: each.family === 4 ? length % 33 : length }));

/** A value, or one of the forms that count as absent. */
const maybe = <T>(value: fc.Arbitrary<T>, ...none: T[]): fc.Arbitrary<T | undefined> =>
  fc.oneof(value, fc.constantFrom(undefined, ...none));
const text = fc.string({ minLength: 1, maxLength: 8 });
const number = fc.integer({ min: 1, max: 0xffff_ffff });
const texts = fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 });

const result: fc.Arbitrary<Result> = fc.record({
  interfaces: fc.array(
    fc
      .record({
        name: text,
        mac: maybe(text, ""),
        mtu: maybe(number, 0),
        sandbox: maybe(text, ""),
        socketPath: maybe(text, ""),
        pciID: maybe(text, ""),
      })
      .map(present<Result["interfaces"][number]>),
    { maxLength: 3 },
  ),
  ips: fc.array(
    fc
      .record({ address: prefix, gateway: maybe(address), interface: maybe(fc.nat(5)) })
      .map(present<Result["ips"][number]>),
    { maxLength: 4 },
  ),
  routes: fc.array(
    fc
      .record({
        dst: prefix,
        gw: maybe(address),
        mtu: maybe(number, 0),
        advmss: maybe(number, 0),
        priority: maybe(number, 0),
        table: maybe(fc.nat()),
        scope: maybe(fc.nat(255)),
      })
      .map(present<Result["routes"][number]>),
    { maxLength: 4 },
  ),
  dns: fc
    .record({
      nameservers: maybe(texts),
      domain: maybe(text, ""),
      search: maybe(texts),
      options: maybe(texts),
    })
    .map(present<Result["dns"]>),
});

/** The value, or the message of the error. */
function attempt<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([...SUPPORTED_VERSIONS])(
  "A21: %s: formatting and parsing keeps exactly what the version can express",
  (version) => {
    fc.assert(
      fc.property(result, (each) => {
        const document = attempt(() => JSON.parse(formatResult(each, version)));
        const back = typeof document === "string" ? document : parseResult(document, "", "1.1.0");
        expect(back).toEqual(attempt(() => reduceTo(version, each)));
      }),
      { numRuns: 300 },
    );
  },
);

test("A21: 1.1.0 can express everything that is not empty", () => {
  fc.assert(
    fc.property(result, (each) => {
      const reduced = reduceTo("1.1.0", each);
      expect(reduced.ips).toEqual(each.ips);
      expect(reduced.routes.map(({ dst, gw }) => ({ dst, gw }))).toEqual(
        each.routes.map(({ dst, gw }) => ({ dst, gw })),
      );
      expect(reduced.interfaces.map((one) => one.name)).toEqual(each.interfaces.map((one) => one.name));
      expect(reduceTo("1.1.0", reduced)).toEqual(reduced);
    }),
  );
});

test("A21: any JSON is a result or an error with code 6", () => {
  const key = fc.constantFrom(
    "cniVersion",
    "ips",
    "interfaces",
    "routes",
    "dns",
    "ip4",
    "address",
    "dst",
    "name",
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("10.0.0.1/24", "10.0.0.1", "0.2.0", "1.0.0", 0, null, true),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(key, tie("any"), { maxKeys: 4 }),
    ),
  })).any;
  fc.assert(
    fc.property(fc.dictionary(key, value), (document) => {
      const outcome = attempt(() => parseResult(document, "result", "1.1.0"));
      if (typeof outcome === "string") expect(outcome).toStartWith("cannot decode: key ");
      else expect(attempt(() => formatResult(outcome, "1.1.0"))).toStartWith("{");
    }),
    { numRuns: 500 },
  );
});
