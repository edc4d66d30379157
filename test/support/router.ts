/**
 * A router of IPv6 that advertises itself once, to be run in the namespace of the router:
 *
 *   bun router.ts INTERFACE LIFETIME PREFIX VALID [ROUTE/LENGTH]
 *
 * LIFETIME (seconds) is that of the default route, 0 for none. VALID is that of the addresses that hosts make of
 * PREFIX, a /64. ROUTE is announced with lifetime VALID (RFC 4191). The message is made by hand, byte for byte
 * (RFC 4861 sections 4.2 and 4.6.2).
 */
import { dlopen } from "bun:ffi";
import { ipToBytes, parseIp } from "../../src/net/ip.ts";
import { outputOf } from "./command.ts";
import { eventually } from "./eventually.ts";

const [name = "", lifetime = "", prefix = "", valid = "", route] = process.argv.slice(2);
const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  if_nametoindex: { args: ["ptr"], returns: "u32" },
});

const bytesOf = (address: string): Uint8Array => {
  const ip = parseIp(address);
  if (ip === undefined) throw new Error(`${address} is not an address`);
  return ipToBytes(ip);
};
const u16 = (value: number) => [value >> 8, value & 255];
const u32 = (value: number) => [...u16(Math.floor(value / 65536)), ...u16(value % 65536)];

const advertisement = [134, 0, 0, 0, 64, 0, ...u16(Number(lifetime)), ...u32(0), ...u32(0)];
const addresses = [
  3,
  4,
  64,
  0xc0,
  ...u32(Number(valid)),
  ...u32(Number(valid)),
  ...u32(0),
  ...bytesOf(prefix),
];
const [network = "", length = ""] = route?.split("/") ?? [];
const routes =
  route === undefined ? [] : [24, 3, Number(length), 0, ...u32(Number(valid)), ...bytesOf(network)];
const message = Uint8Array.from([...advertisement, ...addresses, ...routes]);

const [AF_INET6, SOCK_RAW, ICMPV6, IPV6] = [10, 3, 58, 41];
const IPV6_MULTICAST_HOPS = 18;
const index = libc.if_nametoindex(new TextEncoder().encode(`${name}\0`));
const fd = libc.socket(AF_INET6, SOCK_RAW, ICMPV6);
libc.setsockopt(fd, IPV6, IPV6_MULTICAST_HOPS, Int32Array.of(255), 4);
// struct sockaddr_in6: family, port, flow, ff02::1, interface.
const destination = new Uint8Array(28);
destination[0] = AF_INET6;
destination.set(bytesOf("ff02::1"), 8);
new DataView(destination.buffer).setUint32(24, index, true);
// Until the kernel has seen that the link is up, it throws away what is sent, without a word.
const shown = () => outputOf(["ip", "-j", "link", "show", "dev", name]);
await eventually(`${name} is up`, async () => (await shown()).includes('"operstate":"UP"'), { state: shown });
// And it refuses to send as long as it tries out the link-local address, which is there by then.
await eventually(
  `an advertisement on ${name} (index ${index})`,
  () =>
    Number(libc.sendto(fd, message, message.length, 0, destination, destination.length)) === message.length,
);
