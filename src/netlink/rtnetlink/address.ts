/**
 * Addresses of interfaces (uapi linux/if_addr.h): struct ifaddrmsg { u8 family; u8 prefixlen; u8 flags; u8 scope;
 * u32 index; } and IFA_* attributes.
 */
import { type IpAddress, sameIp } from "../../net/ip.ts";
import { formatPrefix, lastAddress, type Prefix } from "../../net/prefix.ts";
import { Attributes, present, putI32, putRaw, putString, putU32, type RawAttribute } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { DecodeError } from "../error.ts";
import { flag, type Message } from "../message.ts";
import { addressFamily, familyOf, ipOf, prefixOf, putIp } from "./ip-attribute.ts";

export { addressFamily };

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** RTMGRP_IPV6_IFADDR, for a socket's `groups`: IPv6 addresses come, go and change, as when DAD ends. */
export const IPV6_ADDRESS_EVENTS = 0x100;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_TARGET_NETNSID = 10;

/** IFA_F_* of uapi linux/if_addr.h. */
export const addressFlag = { noDad: 0x02, dadFailed: 0x08, tentative: 0x40, permanent: 0x80 } as const;

/** An address of an interface. */
export interface InterfaceAddress {
  /** Interface index. */
  index: number;
  /** The interface's own address, with the length of the network that it reaches. */
  prefix: Prefix;
  /** The other end's address, where it differs: a point-to-point link. */
  peer?: IpAddress;
  /** IFA_F_* bits, all 32. */
  flags?: number;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  scope?: number;
  broadcast?: IpAddress;
  label?: string;
  /** In the answer to a question about another namespace: the kernel's number for it (Linux 4.20 and later). */
  targetNetnsId?: number;
  /** Attributes that the decoder does not know. */
  unknown?: readonly RawAttribute[];
}

export function encodeAddress(address: InterfaceAddress): Uint8Array {
  const { family } = address.prefix.address;
  const writer = new ByteWriter();
  writer.u8(addressFamily[family]);
  writer.u8(address.prefix.length);
  writer.u8((address.flags ?? 0) & 0xff);
  writer.u8(address.scope ?? 0);
  writer.u32(address.index);
  putIp(writer, IFA_LOCAL, address.prefix.address);
  putIp(writer, IFA_ADDRESS, address.peer ?? address.prefix.address);
  putIp(writer, IFA_BROADCAST, address.broadcast);
  putString(writer, IFA_LABEL, address.label);
  // The header has room for eight bits; with the attribute the kernel looks at nothing else.
  if (address.flags !== undefined && address.flags > 0xff) putU32(writer, IFA_FLAGS, address.flags);
  putI32(writer, IFA_TARGET_NETNSID, address.targetNetnsId);
  putRaw(writer, address.unknown);
  return writer.finish();
}

/** @throws DecodeError; also for a family other than IPv4 and IPv6. */
export function decodeAddress(payload: Uint8Array): InterfaceAddress {
  const reader = new ByteReader(payload);
  const number = reader.u8();
  const family = familyOf(number);
  if (family === undefined) throw new DecodeError(`an interface address of address family ${number}`);
  const [length, flags, scope, index] = [reader.u8(), reader.u8(), reader.u8(), reader.u32()];
  const attributes = new Attributes(payload, reader.at);
  // On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL is always one's own. IPv6 sends only the former.
  const other = ipOf(attributes, IFA_ADDRESS, family);
  const own = ipOf(attributes, IFA_LOCAL, family) ?? other;
  if (own === undefined) throw new DecodeError("an interface address without an address");
  return {
    index,
    prefix: prefixOf(own, length),
    flags: attributes.u32(IFA_FLAGS) ?? flags,
    scope,
    ...present({
      peer: other !== undefined && !sameIp(other, own) ? other : undefined,
      broadcast: ipOf(attributes, IFA_BROADCAST, family),
      label: attributes.string(IFA_LABEL),
      targetNetnsId: attributes.i32(IFA_TARGET_NETNSID),
    }),
    // Nobody looks at them in an ADD.
    get unknown() {
      return attributes.unread();
    },
  };
}

/** Adds an address; EEXIST when the interface has it. IPv4 gets its broadcast address, as `ip addr add … brd +` does. */
export function addAddress(index: number, prefix: Prefix, flags: number, interfaceName: string): Request {
  const wide = prefix.address.family === 4 && prefix.length < 31;
  const broadcast = wide ? { broadcast: lastAddress(prefix) } : {};
  return {
    action: `add address ${formatPrefix(prefix)} to ${JSON.stringify(interfaceName)}`,
    type: RTM_NEWADDR,
    flags: flag.create | flag.exclusive,
    payload: encodeAddress({ index, prefix, ...broadcast, ...(flags !== 0 && { flags }) }),
  };
}

export function deleteAddress(index: number, prefix: Prefix, interfaceName: string): Request {
  return {
    action: `delete address ${formatPrefix(prefix)} from ${JSON.stringify(interfaceName)}`,
    type: RTM_DELADDR,
    flags: 0,
    payload: encodeAddress({ index, prefix }),
  };
}

/** Asks for the addresses of one interface, both families; ENODEV when there is no such interface. */
export function dumpAddresses(index: number): Request {
  const writer = new ByteWriter();
  writer.u32(0);
  writer.u32(index);
  return {
    action: `list addresses of interface ${index}`,
    type: RTM_GETADDR,
    flags: 0,
    payload: writer.finish(),
  };
}

/**
 * Asks for the addresses of all interfaces of this namespace, or of another by the number that the kernel has for it in
 * this one. Kernels before 4.20 answer with those of this one: look at `targetNetnsId`.
 */
export function dumpAddressesIn(netnsId?: number): Request {
  const writer = new ByteWriter();
  writer.u32(0);
  writer.u32(0);
  putI32(writer, IFA_TARGET_NETNSID, netnsId);
  return {
    action: netnsId === undefined ? "list addresses" : `list addresses of namespace ${netnsId}`,
    type: RTM_GETADDR,
    flags: 0,
    payload: writer.finish(),
  };
}

/**
 * The IP address in a reply to `dumpAddresses`, if it is one of that interface: kernels before 4.20 send those of all
 * interfaces, and any kernel those of other families too. @throws DecodeError
 */
export function addressOf({ type, payload }: Message, index: number): InterfaceAddress | undefined {
  if (type !== RTM_NEWADDR || familyOf(payload[0] ?? 0) === undefined) return undefined;
  const address = decodeAddress(payload);
  return address.index === index ? address : undefined;
}
