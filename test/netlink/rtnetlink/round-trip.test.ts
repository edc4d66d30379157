/** Any object is the same after encoding and decoding, and gives the same bytes when it is encoded again. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bits, type Family, type IpAddress } from "../../../src/net/ip.ts";
import { decode } from "../../../src/netlink/decode.ts";
import { encode } from "../../../src/netlink/encode.ts";
import {
  addAddress,
  decodeAddress,
  encodeAddress,
  addressOf as ofInterface,
} from "../../../src/netlink/rtnetlink/address.ts";
import { decodeBridge, encodeBridge } from "../../../src/netlink/rtnetlink/bridge.ts";
import { decodeBridgePort, encodeBridgePort } from "../../../src/netlink/rtnetlink/bridge-port.ts";
import { decodeLink, LINK } from "../../../src/netlink/rtnetlink/link.ts";
import { NEIGHBOUR } from "../../../src/netlink/rtnetlink/neighbour.ts";
import { decodeRoute, encodeRoute } from "../../../src/netlink/rtnetlink/route.ts";
import { VETH } from "../../../src/netlink/rtnetlink/veth.ts";
import { decodePortVlans, encodePortVlans, type PortVlan } from "../../../src/netlink/rtnetlink/vlan.ts";
import type { RawAttribute } from "../../../src/netlink/schema.ts";

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
/** Text without NUL, which ends a string, and without lone surrogates, which UTF-8 cannot express. */
const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"));
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });

const addressOf = (family: Family): fc.Arbitrary<IpAddress> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(bits(family))) - 1n }).map((value) => ({ family, value }));
const prefixOf = (family: Family) => fc.record({ address: addressOf(family), length: fc.nat(bits(family)) });
const family = fc.constantFrom<Family>(4, 6);

/** Attributes of types that our decoders do not know. */
const unknown: fc.Arbitrary<readonly RawAttribute[]> = fc.array(
  fc.record({ type: fc.integer({ min: 200, max: 0x3fff }), payload: bytes }),
  { minLength: 1, maxLength: 3 },
);

const required = <K extends string>(...requiredKeys: K[]) => ({ requiredKeys });

const link = fc
  .record(
    {
      family: u8,
      hardwareType: u16,
      index: i32,
      flags: u32,
      change: u32,
      unknown,
      name: text,
      mac,
      mtu: u32,
      peerIndex: u32,
      master: u32,
      operstate: u8,
      alias: text,
      promiscuity: u32,
      netnsFd: u32,
      linkNetnsId: i32,
      kind: text,
      data: bytes,
      portKind: text,
      portData: bytes,
      bridgePort: bytes,
      unknownInfo: unknown,
    },
    required("family", "hardwareType", "index", "flags", "change"),
  )
  .map(({ data, portData, unknownInfo, ...rest }) => {
    // IFLA_LINKINFO is written if one of its fields is set, with all of its unknown attributes.
    if (rest.kind === undefined && rest.portKind === undefined) return rest;
    return {
      ...rest,
      ...(unknownInfo !== undefined && { unknownInfo }),
      ...(data !== undefined && { data }),
      ...(portData !== undefined && { portData }),
    };
  });

const address = family.chain((kind) =>
  fc
    .record(
      {
        index: u32,
        prefix: prefixOf(kind),
        flags: fc.oneof(u8, u32),
        scope: u8,
        unknown,
        peer: addressOf(kind),
        broadcast: addressOf(kind),
        label: text,
      },
      required("index", "prefix", "flags", "scope"),
    )
    .filter(({ peer, prefix }) => peer?.value !== prefix.address.value),
);

const route = family.chain((kind) =>
  fc
    .record(
      {
        dst: prefixOf(kind),
        table: fc.oneof(u8, u32),
        protocol: u8,
        scope: u8,
        type: u8,
        flags: u32,
        unknown,
        gateway: addressOf(kind),
        index: u32,
        priority: u32,
        preferredSource: addressOf(kind),
        tos: fc.integer({ min: 1, max: 0xff }),
        sourceLength: fc.integer({ min: 1, max: 0xff }),
        mtu: u32,
        advmss: u32,
        unknownMetrics: unknown,
      },
      required("dst", "table", "protocol", "scope", "type", "flags"),
    )
    .map(({ unknownMetrics, ...rest }) => {
      // The default route's destination is not written.
      const dst = rest.dst.length > 0 ? rest.dst : { address: { family: kind, value: 0n }, length: 0 };
      const metrics = rest.mtu !== undefined || rest.advmss !== undefined;
      return { ...rest, dst, ...(metrics && unknownMetrics !== undefined && { unknownMetrics }) };
    }),
);

const neighbour = fc.record(
  { index: i32, family: u8, state: u16, flags: u8, type: u8, unknown, address: family.chain(addressOf), mac },
  required("index", "family", "state", "flags", "type"),
);

const bridge = fc.record(
  { vlanFiltering: fc.boolean(), vlanDefaultPvid: u16, unknown },
  { requiredKeys: [] },
);
const port = fc.record(
  { state: u8, hairpin: fc.boolean(), isolated: fc.boolean(), unknown },
  { requiredKeys: [] },
);

/** Encodes, decodes and encodes again. */
function survives<T extends object>(
  arbitrary: fc.Arbitrary<object>,
  write: (value: T) => Uint8Array,
  read: (bytes: Uint8Array) => T,
) {
  fc.assert(
    fc.property(arbitrary, (value) => {
      const encoded = write(value as T);
      expect(encoded.length % 4).toBe(0);
      const decoded = read(encoded);
      expect(decoded).toMatchObject(value);
      expect(write(decoded).toHex()).toBe(encoded.toHex());
    }),
    { numRuns: 300 },
  );
}

describe("round trips", () => {
  test("links", () => survives(link, (value) => encode(LINK, value), decodeLink));
  test("addresses", () => survives(address, encodeAddress, decodeAddress));
  test("routes", () => survives(route, encodeRoute, decodeRoute));
  test("neighbours", () =>
    survives(
      neighbour,
      (value) => encode(NEIGHBOUR, value),
      (bytes) => decode(NEIGHBOUR, bytes),
    ));
  test("bridges", () => survives(bridge, encodeBridge, decodeBridge));
  test("bridge ports", () => survives(port, encodeBridgePort, decodeBridgePort));
  test("veth peers", () =>
    survives(
      link,
      (peer) => encode(VETH, { peer }),
      (bytes) => decode(VETH, bytes).peer ?? {},
    ));

  test("VLANs, in and out of ranges", () => {
    const vlan = fc
      .record(
        { vid: fc.nat(4095), pvid: fc.boolean(), untagged: fc.boolean(), end: fc.nat(4095) },
        required("vid", "pvid", "untagged"),
      )
      .map((value): PortVlan => value);
    fc.assert(
      fc.property(i32, fc.array(vlan), fc.boolean(), (index, vlans, self) => {
        expect(decodePortVlans(encodePortVlans(index, vlans, self))).toEqual({ index, vlans });
      }),
    );
  });
});

describe("edges", () => {
  const dst = { address: { family: 4, value: 0x0a000000n }, length: 8 } as const;

  test("tables at the limit of the header", () => {
    for (const table of [0, 1, 254, 255, 256, 1000, 0xffffffff])
      expect(decodeRoute(encodeRoute({ dst, table })).table).toBe(table);
    expect(decodeRoute(encodeRoute({ dst })).table).toBe(254);
  });

  test("a broadcast address if the prefix has room for one", () => {
    const broadcast = (family: Family, length: number) => {
      const prefix = { address: { family, value: 0x0a000001n }, length };
      return decodeAddress(addAddress(1, prefix, 0, "x").payload).broadcast?.value;
    };
    expect([24, 30, 31, 32].map((length) => broadcast(4, length))).toEqual([
      0x0a0000ffn,
      0x0a000003n,
      undefined,
      undefined,
    ]);
    expect(broadcast(6, 64)).toBeUndefined();
  });

  test("only the IP addresses of the interface are taken from a dump", () => {
    const reply = (type: number, payload: Uint8Array) => ({ type, flags: 2, sequence: 1, port: 0, payload });
    const own = encodeAddress({ index: 2, prefix: { ...dst, length: 24 } });
    const foreign = encodeAddress({ index: 3, prefix: { ...dst, length: 24 } });
    // Family AF_MCTP has addresses of one byte.
    const mctp = Uint8Array.fromHex("2d000000020000000500020008000000");
    const replies = [reply(20, own), reply(20, foreign), reply(20, mctp), reply(16, own), reply(21, own)];
    expect(replies.flatMap((message) => ofInterface(message, 2) ?? [])).toEqual([decodeAddress(own)]);
  });
});

describe("invalid values", () => {
  test("numbers that do not fit are refused, not cut", () => {
    expect(() => encode(LINK, { mtu: -1 })).toThrow(RangeError);
    expect(() => encode(LINK, { mtu: 2 ** 32 })).toThrow(RangeError);
    expect(() => encodeRoute({ dst: { address: { family: 4, value: 0n }, length: 0 }, scope: 256 })).toThrow(
      RangeError,
    );
    expect(() => encodePortVlans(1, [{ vid: 65536 }])).toThrow(RangeError);
  });

  const vlanFlags = (...flags: number[]): Uint8Array => {
    const entry = (flag: number, index: number) => `08000200${Uint8Array.of(flag, 0, index + 1, 0).toHex()}`;
    const spec = flags.map(entry).join("");
    const length = Uint8Array.of(4 + spec.length / 2, 0, 26, 0).toHex();
    return Uint8Array.fromHex(`07000000${"00".repeat(12)}${length}${spec}`);
  };
  const [plain, begin, end] = [0, 8, 16];

  test("half a range of VLANs is a DecodeError", () => {
    expect(decodePortVlans(vlanFlags(begin, end)).vlans).toMatchObject([{ vid: 1, end: 2 }]);
    expect(() => decodePortVlans(vlanFlags(end))).toThrow("without a beginning");
    expect(() => decodePortVlans(vlanFlags(begin))).toThrow("has no end");
    expect(() => decodePortVlans(vlanFlags(begin, plain, end))).toThrow("inside an open range");
    expect(() => decodePortVlans(vlanFlags(begin, begin, end))).toThrow("inside an open range");
  });
});
