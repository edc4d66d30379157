/** A decoder returns or throws a DecodeError for any bytes: random ones, and real messages cut or altered. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode } from "../../src/netlink/decode.ts";
import { DecodeError } from "../../src/netlink/error.ts";
import { control, decodeAck, decodeMessages, flag, type Message } from "../../src/netlink/message.ts";
import { decodeSomeElements } from "../../src/netlink/nftables/element.ts";
import { addressOf, decodeAddress } from "../../src/netlink/rtnetlink/address.ts";
import { decodeBridge } from "../../src/netlink/rtnetlink/bridge.ts";
import { decodeBridgePort } from "../../src/netlink/rtnetlink/bridge-port.ts";
import { decodeLink, linkOf } from "../../src/netlink/rtnetlink/link.ts";
import { NEIGHBOUR } from "../../src/netlink/rtnetlink/neighbour.ts";
import { decodeRoute, gatewaysOf } from "../../src/netlink/rtnetlink/route.ts";
import { VETH } from "../../src/netlink/rtnetlink/veth.ts";
import { decodePortVlans } from "../../src/netlink/rtnetlink/vlan.ts";
import { nest } from "../../src/netlink/schema.ts";
import { readGoldens } from "../golden/golden.ts";

const message = (type: number, payload: Uint8Array, flags = 0): Message => ({
  type,
  flags,
  sequence: 0,
  port: 0,
  payload,
});

const DECODERS: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  decodeMessages,
  decodeLink,
  linkOf: (bytes) => linkOf([message(16, bytes)]),
  decodeAddress,
  addressOf: (bytes) => addressOf(message(20, bytes), 2),
  decodeRoute,
  neighbour: (bytes) => decode(NEIGHBOUR, bytes),
  gatewaysOf: (bytes) => gatewaysOf(decodeRoute(bytes)),
  decodePortVlans,
  decodeBridge,
  decodeBridgePort,
  veth: (bytes) => decode(VETH, bytes),
  elements: (bytes) => decodeSomeElements(message(0, bytes), () => true),
  attributes: (bytes) => decode(nest([]), bytes).unknown,
  "an error": (bytes) => decodeAck(message(control.error, bytes)),
  "an error with words": (bytes) => decodeAck(message(control.error, bytes, flag.ackAttributes)),
  "an error, capped": (bytes) => decodeAck(message(control.error, bytes, flag.ackAttributes | flag.capped)),
  "an end": (bytes) => decodeAck(message(control.done, bytes, flag.ackAttributes)),
};

/** Runs all decoders and throws any error but a DecodeError. Returns how many of them succeeded. */
function decodeAll(bytes: Uint8Array): number {
  let content = 0;
  for (const decode of Object.values(DECODERS)) {
    try {
      decode(bytes);
      content++;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
  return content;
}

const datagrams = readGoldens("rtnetlink").flatMap((golden) => golden.datagrams.map(({ bytes }) => bytes));
/** Whole datagrams, and the bytes after the header of their first message. */
const real = fc.constantFrom(...datagrams, ...datagrams.map((bytes) => bytes.subarray(16)));

describe("decoders throw nothing but DecodeError", () => {
  test("on random bytes", () => {
    const random = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(random, (bytes) => void decodeAll(bytes)),
      { numRuns: 2000 },
    );
  });

  test("on random attributes with valid lengths", () => {
    const attribute = fc
      .tuple(fc.nat(40), fc.uint8Array({ maxLength: 24 }))
      .map(([type, payload]) => [
        ...[payload.length + 4, 0, type, 0, ...payload],
        ...new Array<number>(-payload.length & 3).fill(0),
      ]);
    const body = fc
      .tuple(fc.constantFrom(0, 8, 12, 16), fc.constantFrom(2, 7, 10), fc.array(attribute, { maxLength: 12 }))
      .map(([header, family, attributes]) => {
        const fixed = new Uint8Array(header).fill(family, 0, 1);
        return Uint8Array.from([...fixed, ...attributes.flat()]);
      });
    let content = 0;
    const property = fc.property(body, (bytes) => {
      content += decodeAll(bytes);
    });
    fc.assert(property, { numRuns: 1000 });
    // Many bytes pass the first checks of the decoders.
    expect(content).toBeGreaterThan(1000);
  });

  test("on real messages, cut anywhere", () => {
    fc.assert(
      fc.property(real, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, part) => {
        decodeAll(bytes.subarray(0, Math.floor(bytes.length * part)));
      }),
      { numRuns: 2000 },
    );
  });

  test("on real messages with some bytes altered", () => {
    const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 3, 4, 0x7f, 0x80, 0xff)));
    fc.assert(
      fc.property(real, fc.array(change, { minLength: 1, maxLength: 8 }), (bytes, changes) => {
        const altered = Uint8Array.from(bytes);
        for (const [at, value] of changes) altered[at % altered.length] = value;
        decodeAll(altered);
      }),
      { numRuns: 2000 },
    );
  });
});

test("a prefix longer than its address, an address of another family's length: DecodeError", () => {
  const address = (fixed: string, attribute: string) => Uint8Array.fromHex(`${fixed}${attribute}`);
  const v4 = "080001000a000001";
  expect(() => decodeAddress(address("0221000001000000", v4))).toThrow("a prefix length of 33");
  expect(() => decodeAddress(address("0a20000001000000", v4))).toThrow(
    "an interface address of IPv6 with an IPv4 address",
  );
  expect(() => decodeAddress(address("0218000001000000", "060001000a000000"))).toThrow(
    "not an IPv4 or IPv6 address",
  );
  expect(() => decodeAddress(address("0218000001000000", ""))).toThrow("without an address");
  expect(() => decodeAddress(address("2d18000001000000", v4))).toThrow("address family 45");
  const route = "000000fe03000100000000";
  expect(() => decodeRoute(Uint8Array.fromHex(`0221${route.slice(2)}${v4}`))).toThrow(
    "a prefix length of 33",
  );
  expect(() => decodeRoute(Uint8Array.fromHex(`0210${route.slice(2)}06000500ffff0000`))).toThrow(
    "not an IPv4 or IPv6 address",
  );
  expect(() => decodeRoute(Uint8Array.fromHex(`8010${route.slice(2)}`))).toThrow("address family 128");
});
