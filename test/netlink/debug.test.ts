import { describe, expect, test } from "bun:test";
import { Connection } from "../../src/netlink/connection.ts";
import { formatDatagram, formatMessage, traced } from "../../src/netlink/debug.ts";
import { flag, type Message } from "../../src/netlink/message.ts";
import { readGolden, readGoldens, repliesOf, requestsOf, withoutRest } from "../golden/golden.ts";
import { acknowledgement, each, FakeKernel, refusal } from "./fake-kernel.ts";

const first = (messages: readonly Message[]): Message => {
  const [message] = messages;
  if (message === undefined) throw new Error("no message");
  return message;
};
const requestOf = (name: string) => formatMessage(first(requestsOf(readGolden("rtnetlink", name))), "route");
const replyOf = (name: string) => formatMessage(first(repliesOf(readGolden("rtnetlink", name))), "route");
const lines = (text: string) => text.split("\n");

test("a request: type, flags and attributes by name, a peer nested in the kind's data", () => {
  expect(lines(requestOf("link-add-veth").replace(/sequence \d+/, "sequence N"))).toEqual([
    "RTM_NEWLINK REQUEST|ACK|EXCL|CREATE, sequence N, port 0, 136 bytes",
    "  00000000000000000000000000000000",
    "  IFLA_MTU 78050000",
    "  IFLA_MASTER 02000000",
    '  IFLA_IFNAME 766574683000 "veth0"',
    "  IFLA_LINKINFO",
    "    IFLA_INFO_KIND 76657468",
    "    IFLA_INFO_DATA",
    "      VETH_INFO_PEER",
    "        00000000000000000000000000000000",
    "        IFLA_MTU 78050000",
    "        IFLA_ADDRESS 020000000003",
    "        IFLA_NET_NS_FD 04000000",
    '        IFLA_IFNAME 6574683000 "eth0"',
  ]);
});

test("attributes of a bridge, of a port, of VLANs, of a route", () => {
  expect(requestOf("link-add-bridge-default-pvid")).toContain("\n      IFLA_BR_VLAN_DEFAULT_PVID 0700");
  expect(requestOf("link-set-bridge-slave")).toContain("\n      IFLA_BRPORT_ISOLATED 01");
  expect(requestOf("bridge-link-set")).toContain("\n    IFLA_BRPORT_MODE 01");
  expect(requestOf("vlan-add")).toContain("\n  IFLA_AF_SPEC\n    IFLA_BRIDGE_VLAN_INFO 06000a00");
  expect(requestOf("route-add-mtu")).toContain("\n  RTA_METRICS\n    RTAX_MTU 14050000");
});

test("flags mean what the kind of message makes of them", () => {
  const heads = ["route-add-via", "route-del", "route-show", "link-show-netns"].map(
    (name) => lines(requestOf(name))[0]?.split(",")[0],
  );
  expect(heads).toEqual([
    "RTM_NEWROUTE REQUEST|ACK|EXCL|CREATE",
    "RTM_DELROUTE REQUEST|ACK",
    "RTM_GETROUTE REQUEST|ROOT|MATCH",
    "RTM_GETLINK REQUEST|ROOT|MATCH",
  ]);
  const odd: Message = { type: 17, flags: 0xff00, sequence: 1, port: 2, payload: new Uint8Array(16) };
  expect(lines(formatMessage(odd, "route"))[0]).toBe(
    "RTM_DELLINK NONREC|BULK|0x400|0x800|0x1000|0x2000|0x4000|0x8000, sequence 1, port 2, 32 bytes",
  );
  expect(formatMessage({ ...odd, flags: 0 }, "route")).toStartWith("RTM_DELLINK no flags,");
});

test("an acknowledgement, a refusal with all that it says, an end", () => {
  expect(lines(replyOf("link-set-up")).slice(1)).toEqual(["  success"]);
  expect(lines(replyOf("error-gateway")).slice(1)).toEqual([
    "  ENETUNREACH",
    '  text "Nexthop has invalid gateway"',
  ]);
  expect(replyOf("error-no-table")).toStartWith("NLMSG_DONE MULTI|DUMP_FILTERED|ACK_TLVS,");
  const request: Message = { type: 16, flags: 1, sequence: 7, port: 0, payload: new Uint8Array() };
  const all = refusal(request, 22, { text: "no", offset: 16, missing: 3 }, true);
  expect(lines(formatMessage(all, "route"))).toEqual([
    "NLMSG_ERROR CAPPED|ACK_TLVS, sequence 7, port 4242, 60 bytes",
    "  EINVAL",
    '  text "no"',
    "  offset 16",
    "  missing attribute 3",
  ]);
  expect(formatMessage({ ...request, type: 1 }, "route")).toBe(
    "NLMSG_NOOP REQUEST, sequence 7, port 0, 16 bytes",
  );
});

test("what has no name is shown by its number, nests by their flag", () => {
  const payload = Uint8Array.fromHex("000000000c0001800800020061620a0008000300616263000500040001000000");
  const unknown: Message = { type: 0x0bff, flags: 1, sequence: 1, port: 0, payload };
  expect(lines(formatMessage(unknown, "netfilter")).slice(1)).toEqual([
    "  00000000",
    "  attribute 1",
    "    attribute 2 61620a00",
    '  attribute 3 61626300 "abc"',
    "  attribute 4 01",
  ]);
  expect(formatMessage(unknown, "netfilter")).toStartWith("type 3071 ");
  expect(lines(formatMessage({ ...unknown, type: 200 }, "route"))).toEqual([
    "type 200 REQUEST, sequence 1, port 0, 48 bytes",
    `  ${payload.toHex()}`,
  ]);
});

test("messages of nf_tables", () => {
  const names = [16, 17, 0x0a00, 0x0a06, 0x0a07, 0x0a08, 0x0aff].map((type) => {
    const message = {
      type,
      flags: flag.request | flag.create,
      sequence: 1,
      port: 0,
      payload: new Uint8Array(4),
    };
    return formatMessage(message, "netfilter").split(",")[0];
  });
  expect(names).toEqual([
    "NFNL_MSG_BATCH_BEGIN REQUEST|CREATE",
    "NFNL_MSG_BATCH_END REQUEST|CREATE",
    "NFT_MSG_NEWTABLE REQUEST|CREATE",
    "NFT_MSG_NEWRULE REQUEST|CREATE",
    "NFT_MSG_GETRULE REQUEST|ATOMIC",
    "NFT_MSG_DELRULE REQUEST|0x400",
    "type 2815 REQUEST|CREATE",
  ]);
});

test("bytes that make no sense are shown as they are, with what is wrong", () => {
  expect(formatDatagram(Uint8Array.of(1, 2, 3), "route", ">")).toBe(
    "> 010203 (3 bytes at offset 0 are not a message)",
  );
  expect(formatDatagram(new Uint8Array(), "route", "<")).toBe("< an empty datagram");
  const message: Message = { type: 16, flags: 1, sequence: 1, port: 0, payload: new Uint8Array(18) };
  expect(lines(formatMessage(message, "route")).at(-1)).toBe(
    "  0000 (2 bytes at offset 0 are not an attribute)",
  );
});

test("every golden has a form without a line that failed", () => {
  for (const golden of readGoldens("rtnetlink")) {
    for (const { bytes } of golden.datagrams) {
      const text = formatDatagram(withoutRest(bytes), "route", "-");
      expect(text).not.toContain("(");
      for (const line of lines(text)) expect(line).toStartWith("- ");
    }
  }
});

describe("traced", () => {
  test("tells both directions and changes nothing", () => {
    const log: string[] = [];
    const kernel = new FakeKernel(each((one) => [acknowledgement(one)]));
    {
      using connection = new Connection(traced(kernel, (text) => log.push(text)));
      const request = { action: "set it", type: 16, flags: 0, payload: new Uint8Array(16) };
      expect(connection.call(request)).toEqual([]);
    }
    expect(log).toEqual([
      `> RTM_NEWLINK REQUEST|ACK, sequence 1, port 0, 32 bytes\n>   ${"00".repeat(16)}`,
      "< NLMSG_ERROR CAPPED, sequence 1, port 4242, 36 bytes\n<   success",
    ]);
    expect(kernel.received.length).toBe(1);
    expect(kernel.closed).toBe(true);
  });
});
