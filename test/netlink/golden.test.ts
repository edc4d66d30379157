/** Real datagrams are the same to the last byte after decoding and encoding, headers included. */
import { describe, expect, test } from "bun:test";
import { decode } from "../../src/netlink/decode.ts";
import { encode } from "../../src/netlink/encode.ts";
import {
  control,
  decodeAck,
  decodeMessages,
  encodeMessages,
  flag,
  type Message,
} from "../../src/netlink/message.ts";
import { nest } from "../../src/netlink/schema.ts";
import { readGolden, readGoldens, repliesOf, requestsOf, withoutRest } from "../golden/golden.ts";
import { headerLength } from "./rtnetlink/canonical.ts";

const goldens = readGoldens("rtnetlink");

test("the goldens exist, with both directions in each", () => {
  expect(goldens.length).toBeGreaterThan(60);
  for (const golden of goldens) {
    expect([golden.name, requestsOf(golden).length]).not.toEqual([golden.name, 0]);
    expect([golden.name, repliesOf(golden).length]).not.toEqual([golden.name, 0]);
  }
});

describe.each(goldens.map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  test("messages survive byte for byte", () => {
    for (const { bytes } of golden.datagrams) {
      const datagram = withoutRest(bytes);
      expect(encodeMessages(decodeMessages(datagram)).toHex()).toBe(datagram.toHex());
    }
  });

  test("attributes survive byte for byte", () => {
    for (const message of [...requestsOf(golden), ...repliesOf(golden)]) {
      if (message.type < 16) continue;
      const attributes = message.payload.subarray(headerLength(message.type));
      // A schema without attributes.
      expect(encode(nest([]), decode(nest([]), attributes)).toHex()).toBe(attributes.toHex());
    }
  });

  test("every reply answers a request of the conversation", () => {
    const sequences = requestsOf(golden).map(({ sequence }) => sequence);
    for (const { sequence } of repliesOf(golden)) expect(sequences).toContain(sequence);
  });
});

describe("acks", () => {
  const acksIn = (name: string) =>
    repliesOf(readGolden("rtnetlink", name))
      .filter(({ type }) => type === control.error || type === control.done)
      .map((message) => [message.type, decodeAck(message)] as const);

  test("an acknowledgement is errno 0", () => {
    expect(acksIn("link-set-up")).toEqual([[control.error, { errno: 0, extended: {} }]]);
  });

  test("a refusal without a text contains the whole request", () => {
    expect(acksIn("error-name-taken")).toEqual([[control.error, { errno: 17, extended: {} }]]);
    expect(acksIn("error-no-link")).toEqual([[control.error, { errno: 19, extended: {} }]]);
  });

  test("a refusal with the kernel's text after the request", () => {
    expect(acksIn("error-unknown-kind")).toEqual([
      [control.error, { errno: 95, extended: { text: "Unknown device type" } }],
    ]);
    expect(acksIn("error-gateway")).toEqual([
      [control.error, { errno: 101, extended: { text: "Nexthop has invalid gateway" } }],
    ]);
    expect(acksIn("error-address-taken")).toEqual([
      [control.error, { errno: 17, extended: { text: "ipv4: Address already assigned" } }],
    ]);
  });

  test("the end of a dump, with and without an error", () => {
    expect(acksIn("link-show")).toEqual([[control.done, { errno: 0, extended: {} }]]);
    expect(acksIn("error-no-table")).toEqual([
      [control.done, { errno: 2, extended: { text: "ipv4: FIB table does not exist" } }],
    ]);
  });

  test("the text is read only if the flag is set", () => {
    const [reply] = repliesOf(readGolden("rtnetlink", "error-gateway"));
    if (reply === undefined) throw new Error("no reply");
    expect(decodeAck({ ...reply, flags: reply.flags & ~flag.ackAttributes })).toEqual({
      errno: 101,
      extended: {},
    });
  });

  test("a dump has the flag for several parts, a filtered dump its own flag", () => {
    const flags = (name: string) =>
      repliesOf(readGolden("rtnetlink", name)).map((reply: Message) => reply.flags);
    for (const value of flags("link-show")) expect(value).toBe(flag.multi);
    for (const value of flags("route-show-table")) expect(value).toBe(flag.multi | flag.dumpFiltered);
  });
});
