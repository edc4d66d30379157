/** Requests about flows. */
import { expect, test } from "bun:test";
import { parseIp } from "../../../src/net/ip.ts";
import {
  decodeFlow,
  deleteFlow,
  deleteFlows,
  type Flow,
  selects,
} from "../../../src/netlink/conntrack/flow.ts";

const address = (text: string) => {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const message = (payload: Uint8Array) => ({ type: 0x102, flags: 0, sequence: 1, port: 0, payload });

const udp = {
  family: 4,
  direction: "original",
  protocol: 17,
  destination: address("10.1.2.1"),
  destinationPort: 53,
} as const;

test("M49: a filter names its fields, for the kernel to find the flows", () => {
  const { payload, action } = deleteFlows(udp);
  expect(action).toBe("delete flows of protocol 17 to 10.1.2.1 port 53");
  expect(payload.toHex()).toBe(
    "02010000" + // AF_INET, version 1
      "24000180" +
      "0c000180" +
      "08000200" +
      "0a010201" +
      "14000280" +
      "05000100" +
      "11000000" +
      "06000300" +
      "00350000" +
      // CTA_FILTER: destination 2, protocol 8, destination port 32; nothing of the answers.
      "14001980" +
      "08000100" +
      "2a000000" +
      "08000200" +
      "00000000",
  );
});

test("M50: a filter of the answers", () => {
  const filter = {
    family: 4,
    direction: "reply",
    protocol: 17,
    source: address("10.1.2.3"),
    sourcePort: 5353,
  } as const;
  const { action, payload } = deleteFlows(filter);
  expect(action).toBe("delete flows whose answers have protocol 17 from 10.1.2.3 port 5353");
  expect(decodeFlow(message(payload))).toMatchObject({
    family: 2,
    reply: { source4: address("10.1.2.3"), protocol: 17, sourcePort: 5353 },
    originalFields: 0,
    replyFields: 1 | 8 | 16,
  });
});

test("the filter selects here what it selects in the kernel", () => {
  const flow: Flow = {
    family: 2,
    original: {
      source4: address("10.1.2.9"),
      destination4: address("10.1.2.1"),
      protocol: 17,
      sourcePort: 9,
      destinationPort: 53,
    },
    reply: {
      source4: address("10.1.2.3"),
      destination4: address("10.1.2.9"),
      protocol: 17,
      sourcePort: 5353,
      destinationPort: 9,
    },
    id: 7,
  };
  expect(selects(udp, flow)).toBe(true);
  expect(selects({ ...udp, destination: address("10.1.2.2") }, flow)).toBe(false);
  expect(selects({ ...udp, destinationPort: 54 }, flow)).toBe(false);
  expect(selects({ ...udp, protocol: 6 }, flow)).toBe(false);
  expect(selects({ ...udp, source: address("10.1.2.8") }, flow)).toBe(false);
  const answers = {
    family: 4,
    direction: "reply",
    protocol: 17,
    source: address("10.1.2.3"),
    sourcePort: 5353,
  } as const;
  expect(selects(answers, flow)).toBe(true);
  expect(selects({ ...answers, sourcePort: 53 }, flow)).toBe(false);
  expect(selects(udp, { family: 2 })).toBe(false);
  expect(decodeFlow(message(deleteFlow(flow).payload))).toMatchObject({ original: flow.original, id: 7 });
});
