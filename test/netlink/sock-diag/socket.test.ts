import { expect, test } from "bun:test";
import { dumpListening } from "../../../src/netlink/sock-diag/socket.ts";

test.each([
  // TCP_LISTEN alone: any other state of TCP makes the kernel walk all connections.
  ["TCP", 4, 6, 1 << 10],
  ["TCP over IPv6", 6, 6, 1 << 10],
  // TCP_CLOSE is the state of a datagram socket that is not connected.
  ["UDP", 4, 17, (1 << 10) | (1 << 7)],
  ["SCTP", 6, 132, (1 << 10) | (1 << 7)],
] as const)("M48: the listening sockets of %s are listed by their states", (_, family, protocol, states) => {
  const { payload } = dumpListening(family, protocol);
  expect(payload).toHaveLength(56);
  expect([payload[0], payload[1]]).toEqual([family === 4 ? 2 : 10, protocol]);
  expect(new DataView(payload.buffer, payload.byteOffset).getUint32(4, true)).toBe(states);
});
