/** Which flows end, on kernels with and without filters for deletions. */
import { expect, test } from "bun:test";
import { parseIp } from "../../../src/net/ip.ts";
import { endFlows, flowsTo, staleFlows } from "../../../src/netfilter/portmap/flows.ts";
import { Connection } from "../../../src/netlink/connection.ts";
import {
  DELETE_FLOW,
  decodeFlow,
  deleteFlow,
  FLOW as FLOW_SCHEMA,
  type Flow,
  GET_FLOW,
} from "../../../src/netlink/conntrack/flow.ts";
import { encode } from "../../../src/netlink/encode.ts";
import type { Message } from "../../../src/netlink/message.ts";
import { acknowledgement, done, FakeKernel, part, refusal } from "../../netlink/fake-kernel.ts";

const address = (text: string) => {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

const LOCAL = ["127.0.0.1", "10.1.2.1", "fd00:2::1"].map(address);
const udp = { protocol: "udp", hostPort: 53, containerPort: 5353, family: 4 } as const;

test("M49: flows to each address of the host, or to hostIP", () => {
  const found = (mapping: Parameters<typeof staleFlows>[0][number]) =>
    staleFlows([mapping], () => LOCAL).map(({ source, destination }) => [source?.value, destination?.value]);
  expect(found(udp)).toEqual([
    [undefined, LOCAL[0]?.value],
    [undefined, LOCAL[1]?.value],
    [LOCAL[0]?.value, undefined],
  ]);
  expect(found({ ...udp, family: 6 })).toEqual([[undefined, LOCAL[2]?.value]]);
  expect(found({ ...udp, hostIp: address("10.1.2.7") })).toEqual([[undefined, address("10.1.2.7").value]]);
  expect(found({ ...udp, hostIp: address("0.0.0.0") })).toHaveLength(3);
  expect(found({ ...udp, protocol: "tcp" })).toEqual([]);
});

const EINVAL = 22;
const FLOW: Flow = {
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
/** A flow as the kernel reports it has the same attributes as one that it is told to delete, and more. */
const { payload } = deleteFlow(FLOW);

test("M50: a kernel without filters for deletions lists the flows, and each is deleted by its name", () => {
  const deleted: Flow[] = [];
  const kernel = new FakeKernel((requests: readonly Message[]) =>
    requests.flatMap((request) => {
      if (request.type === GET_FLOW) return [[part(request, 0x100, payload)], [done(request)]];
      expect(request.type).toBe(DELETE_FLOW);
      const asked = decodeFlow(request);
      if (asked.originalFields !== undefined) return [[refusal(request, EINVAL)]];
      deleted.push(asked);
      return [[acknowledgement(request)]];
    }),
  );
  endFlows(new Connection(kernel), [
    { family: 4, direction: "original", protocol: 17, destination: address("10.1.2.1"), destinationPort: 53 },
  ]);
  expect(deleted.map(({ id }) => id)).toEqual([7]);
  expect(kernel.received).toHaveLength(3);
});

test("M49: a kernel with filters is not asked for a list of IPv4 flows", () => {
  const types: number[] = [];
  const kernel = new FakeKernel((requests) =>
    requests.map((request) => {
      types.push(request.type);
      return [acknowledgement(request)];
    }),
  );
  endFlows(
    new Connection(kernel),
    staleFlows([udp], () => LOCAL),
  );
  expect(types).toEqual([DELETE_FLOW, DELETE_FLOW, DELETE_FLOW]);
});

/** Ports in the order of the tests, of which FLOW has the first of each kind. */
const PORTS = Array.from({ length: 300 }, (_, index) => index);

test.each([
  [
    "M49",
    "the host",
    staleFlows(
      PORTS.map((index) => ({ ...udp, hostPort: 53 + index })),
      () => LOCAL,
    ),
    undefined,
  ],
  [
    "M50",
    "a container",
    flowsTo(PORTS.map((index) => ({ address: address("10.1.2.3"), port: 5353 + index }))),
    address("10.1.2.3").value,
  ],
])(
  "%s: the flows of many ports of %s are found by one search, and are deleted one by one",
  (_, __, filters, source) => {
    const asked: Flow[] = [];
    const deleted: Flow[] = [];
    const flows = [
      FLOW,
      // One whose answers come from the wanted port of another container, and one to the wanted port of another host.
      ...(["original", "reply"] as const).map((direction, index) => ({
        ...FLOW,
        id: 8 + index,
        [direction]: { ...FLOW[direction], source4: address("10.1.2.8"), destination4: address("10.1.2.8") },
      })),
      // One with these ports at its other ends.
      { ...FLOW, original: FLOW.reply, reply: FLOW.original, id: 10 },
    ].map((flow) => encode(FLOW_SCHEMA, flow));
    const kernel = new FakeKernel((requests) =>
      requests.flatMap((request) => {
        if (request.type === DELETE_FLOW) {
          deleted.push(decodeFlow(request));
          return [[acknowledgement(request)]];
        }
        asked.push(decodeFlow(request));
        return [flows.map((flow) => part(request, 0x100, flow)), [done(request)]];
      }),
    );
    endFlows(new Connection(kernel), filters);
    expect(asked.map(({ original, reply }) => (reply ?? original)?.source4?.value)).toEqual([source]);
    expect(asked.map(({ original, reply }) => (reply ?? original)?.protocol)).toEqual([17]);
    expect(deleted.map(({ id }) => id)).toEqual([7, source === undefined ? 9 : 8]);
  },
);
