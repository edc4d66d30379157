/** The socket itself: long listings, long datagrams, many requests at once, events, and senders that are not the kernel. */
import { dlopen, FFIType } from "bun:ffi";
import { expect } from "bun:test";
import { formatPrefix, type Prefix, parsePrefix } from "../../../src/net/prefix.ts";
import { Connection, type Transport } from "../../../src/netlink/connection.ts";
import { control, decodeMessages, encodeMessages, flag } from "../../../src/netlink/message.ts";
import {
  addAddress,
  addressFlag,
  addressOf,
  dumpAddresses,
  IPV6_ADDRESS_EVENTS,
  RTM_NEWADDR,
} from "../../../src/netlink/rtnetlink/address.ts";
import {
  addLink,
  changeLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  LINK_EVENTS,
  linkOf,
  RTM_DELLINK,
  RTM_NEWLINK,
} from "../../../src/netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../../../src/netlink/rtnetlink/veth.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { timeLeft } from "../../../src/sys/deadline.ts";
import { startAlarm } from "../../../src/sys/flock.ts";
import { Netns } from "../../../src/sys/netns.ts";
import { withDeadline, withoutDeadline } from "../../support/call-time.ts";
import { hostTest } from "../../support/host-test.ts";
import { STATE_LIMIT } from "../../support/limits.ts";
import { connectHost, connectInside, errorOf, linkNamed } from "./route-connection.ts";

/** A transport that keeps the length of all datagrams that came. */
class Measured implements Transport {
  readonly lengths: number[] = [];
  readonly #socket = new NetlinkSocket(protocol.route);
  send(datagram: Uint8Array): void {
    this.#socket.send(datagram);
  }
  receive(): Uint8Array {
    const datagram = this.#socket.receive();
    this.lengths.push(datagram.length);
    return datagram;
  }
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

const bridge = (name: string) => addLink({ name, kind: "bridge" });

hostTest("a listing of more than 300 links comes in several datagrams, and whole", async (host) => {
  using transport = new Measured();
  const connection = new Connection(transport);
  const names = Array.from({ length: 160 }, (_, index) => index);
  // One datagram makes all of them, another takes all of them away.
  const made = connection.callAll(
    names.map((index) =>
      addLink({ name: `a${index}`, kind: "veth", data: encodeVethPeer({ name: `b${index}` }) }),
    ),
  );
  expect(made.every(({ error }) => error === undefined)).toBe(true);
  transport.lengths.length = 0;
  const links = connection.dump(dumpLinks(), ({ payload }) => decodeLink(payload));
  const shown = await host.json<{ ifindex: number; ifname: string; address: string }[]>("ip -j link show");
  expect(shown.length).toBe(321);
  expect(links.map(({ index, name }) => [index, name])).toEqual(
    shown.map(({ ifindex, ifname }) => [ifindex, ifname]),
  );
  expect(transport.lengths.length).toBeGreaterThan(3);
  const outcomes = connection.callAll(names.map((index) => deleteLink({ name: `a${index}` })));
  expect(outcomes.every(({ error }) => error === undefined)).toBe(true);
});

hostTest("a long listing of short objects comes in long datagrams, and whole", async () => {
  using transport = new Measured();
  const connection = new Connection(transport);
  connection.call(bridge("br0"));
  const { index } = linkNamed(connection, "br0");
  const prefixes = Array.from({ length: 600 }, (_, number) => `10.${number >> 8}.${number & 255}.1/32`);
  const made = connection.callAll(
    prefixes.map((prefix) => addAddress(index, parsePrefix(prefix) as Prefix, 0, "br0")),
  );
  expect(made.every(({ error }) => error === undefined)).toBe(true);
  transport.lengths.length = 0;
  const found = connection.dump(dumpAddresses(index), (message) => addressOf(message, index));
  expect(found.flatMap((address) => (address ? [formatPrefix(address.prefix)] : [])).sort()).toEqual(
    prefixes.sort(),
  );
  // The kernel fills one page for a reader that has never shown it a longer buffer.
  expect(Math.max(...transport.lengths)).toBeGreaterThan(4096);
  connection.call(deleteLink({ name: "br0" }));
});

hostTest("a datagram longer than the buffer is not cut", async (host) => {
  using transport = new Measured();
  const connection = new Connection(transport);
  connection.call(bridge("br0"));
  // Other names of a link are listed with it.
  const alternatives = Array.from({ length: 360 }, (_, index) => `${"n".repeat(100)}${index}`);
  const commands = alternatives.map((name) => `link property add dev br0 altname ${name}\n`);
  await host.run("ip -batch -", { stdin: commands.join("") });
  transport.lengths.length = 0;
  const link = linkOf(connection.call(getLink({ name: "br0" })));
  expect(link).toMatchObject({ name: "br0", kind: "bridge" });
  expect(Math.max(...transport.lengths)).toBeGreaterThan(32768);
  const text = new TextDecoder("latin1").decode(
    link?.unknown?.find(({ type }) => (type & 0x3fff) === 52)?.payload,
  );
  for (const name of alternatives) expect(text).toContain(`${name}\0`);
  // And once more, with the buffer grown.
  expect(linkOf(connection.call(getLink({ name: "br0" })))).toEqual(link as object);
  connection.call(deleteLink({ name: "br0" }));
});

hostTest("a thousand requests in one datagram, each with its own verdict", async () => {
  using connection = connectHost();
  connection.call(bridge("br0"));
  const { index } = linkNamed(connection, "br0");
  const requests = Array.from({ length: 1000 }, (_, at) => {
    if (at % 3 === 0) return getLink({ name: "br0" });
    return at % 3 === 1 ? getLink({ name: `no${at}` }) : changeLink({ index, mtu: 1000 + at }, "set the mtu");
  });
  const outcomes = connection.callAll(requests);
  for (const [at, { replies, error }] of outcomes.entries()) {
    expect([at, error?.code]).toEqual([at, at % 3 === 1 ? "ENODEV" : undefined]);
    expect(replies.length).toBe(at % 3 === 0 ? 1 : 0);
    // Requests are worked through in order: each query sees the change before it.
    if (at % 3 === 0 && at > 0) expect(linkOf(replies)?.mtu).toBe(1000 + at - 1);
  }
  connection.call(deleteLink({ index }));
});

hostTest("a socket stays in the namespace that it was opened in", async (host) => {
  const box = await host.addNamespace("box");
  using inside = connectInside(box);
  inside.call(bridge("br7"));
  expect(linkNamed(inside, "br7").kind).toBe("bridge");
  using outside = connectHost();
  expect(errorOf(() => outside.call(getLink({ name: "br7" })))).toMatchObject({ code: "ENODEV" });
  using netns = Netns.open(box.path);
  expect(netns.run(() => errorOf(() => outside.call(getLink({ name: "br7" }))))).toMatchObject({
    code: "ENODEV",
  });
});

hostTest(
  "events of links: a link comes and goes; nothing else comes, and nothing is waited for without end",
  async () => {
    using events = new NetlinkSocket(protocol.route, LINK_EVENTS);
    using connection = connectHost();
    expect(events.receiveWithin(0)).toBeUndefined();
    expect(events.receiveWithin(-5)).toBeUndefined();
    connection.call(bridge("br0"));
    connection.call(deleteLink({ name: "br0" }));
    const seen: [number, string | undefined][] = [];
    for (let datagram = events.receiveWithin(0); datagram !== undefined; datagram = events.receiveWithin(0)) {
      for (const message of decodeMessages(datagram))
        seen.push([message.type, decodeLink(message.payload).name]);
    }
    expect(seen).toContainEqual([RTM_NEWLINK, "br0"]);
    expect(seen.at(-1)).toEqual([RTM_DELLINK, "br0"]);
    expect(events.receiveWithin(1)).toBeUndefined();
  },
);

hostTest("events of IPv6 addresses: those of their group alone", async () => {
  using events = new NetlinkSocket(protocol.route, IPV6_ADDRESS_EVENTS);
  using connection = connectHost();
  connection.call(bridge("br0"));
  const { index } = linkNamed(connection, "br0");
  const add = (text: string) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(text);
    connection.call(addAddress(index, prefix, addressFlag.noDad, "br0"));
  };
  add("10.0.0.1/24");
  add("fd00::1/64");
  const datagram = events.receiveWithin(STATE_LIMIT);
  const messages = decodeMessages(datagram ?? new Uint8Array());
  expect(messages.map(({ type }) => type)).toEqual([RTM_NEWADDR]);
  const come = messages
    .flatMap((message) => addressOf(message, index) ?? [])
    .map(({ prefix }) => formatPrefix(prefix));
  expect(come).toEqual(["fd00::1/64"]);
  expect(connection.dump(dumpAddresses(index), (message) => addressOf(message, index)).length).toBe(2);
  connection.call(deleteLink({ index }));
});

hostTest("events that did not fit are told as ENOBUFS, once, and the next ones come", async () => {
  using events = new NetlinkSocket(protocol.route, LINK_EVENTS);
  using connection = connectHost();
  connection.call(bridge("br0"));
  const { index } = linkNamed(connection, "br0");
  for (let round = 0; round < 20; round++)
    connection.callAll(
      Array.from({ length: 100 }, (_, at) =>
        changeLink({ index, mtu: 1000 + at + (round % 2) * 100 }, "set it"),
      ),
    );
  let lost = 0;
  let datagrams = 0;
  const drain = () => {
    try {
      while (events.receiveWithin(0) !== undefined) datagrams++;
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOBUFS" });
      lost++;
      return false;
    }
  };
  while (!drain());
  expect(lost).toBe(1);
  expect(datagrams).toBeGreaterThan(10);
  connection.call(deleteLink({ index }));
  expect(events.receiveWithin(STATE_LIMIT)).toBeDefined();
});

const { sendto, socket, close } = dlopen("libc.so.6", {
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "i32"], returns: FFIType.i64_fast },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
}).symbols;

hostTest("another process cannot answer in the kernel's place", async () => {
  // The first socket of a process, once it is bound, has the process's number as its port.
  using transport = new NetlinkSocket(protocol.route, LINK_EVENTS);
  const forgery = encodeMessages(
    [1, 2, 3].map((sequence) => ({
      type: control.error,
      flags: flag.capped,
      sequence,
      port: process.pid,
      payload: Uint8Array.fromHex(`${"f3ffffff"}20000000100005000${sequence}00000000000000`),
    })),
  );
  const port = Uint8Array.of(16, 0, 0, 0, ...new Uint8Array(Uint32Array.of(process.pid).buffer), 0, 0, 0, 0);
  const forger = socket(16, 3, 0);
  try {
    expect(sendto(forger, forgery, forgery.length, 0, port, port.length)).toBe(forgery.length);
    expect(sendto(forger, new Uint8Array(3), 3, 0, port, port.length)).toBe(3);
    const connection = new Connection(transport);
    expect(linkOf(connection.call(getLink({ index: 1 })))?.name).toBe("lo");
    // Nor can it end a wait.
    expect(sendto(forger, forgery, forgery.length, 0, port, port.length)).toBe(forgery.length);
    expect(transport.receiveWithin(0)).toBeUndefined();
  } finally {
    close(forger);
  }
});

hostTest(
  "K8: a kernel that does not answer is waited for until the call's deadline, whatever signals come",
  async () => {
    using silent = new NetlinkSocket(protocol.route);
    const stopAlarm = startAlarm(1);
    try {
      withDeadline(300);
      expect(errorOf(() => silent.receive())).toMatchObject({ code: "ETIMEDOUT" });
      expect(timeLeft()).toBe(0);
      // Events are waited for no longer either.
      using events = new NetlinkSocket(protocol.route, LINK_EVENTS);
      expect(events.receiveWithin(60_000)).toBeUndefined();
      // What is there already is still taken.
      expect(linkOf(new Connection(silent).call(getLink({ index: 1 })))?.name).toBe("lo");
    } finally {
      stopAlarm();
      withoutDeadline();
    }
  },
);
