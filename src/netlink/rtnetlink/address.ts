/**
 * Addresses of interfaces (uapi linux/if_addr.h): struct ifaddrmsg { u8 family; u8 prefixlen; u8 flags; u8 scope;
 * u32 index; } and IFA_* attributes.
 */
import { type IpAddress, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { formatPrefix, lastAddress, type Prefix } from "../../net/prefix.ts";
import { Attributes, present, putBytes, putRaw, putString, putU32, type RawAttribute } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { DecodeError } from "../error.ts";
import { flag } from "../message.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** AF_INET and AF_INET6, for every message that carries addresses. */
export const addressFamily = { 4: 2, 6: 10 } as const;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;

/** IFA_F_* of uapi linux/if_addr.h. */
export const addressFlag = { noDad: 0x02, dadFailed: 0x08, tentative: 0x40, permanent: 0x80 } as const;

/** An address of an interface. */
export interface InterfaceAddress {
  /** Interface index. */
  index: number;
  prefix: Prefix;
  /** IFA_F_* bits, all 32. */
  flags?: number;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  scope?: number;
  broadcast?: IpAddress;
  label?: string;
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
  const bytes = ipToBytes(address.prefix.address);
  putBytes(writer, IFA_LOCAL, bytes);
  putBytes(writer, IFA_ADDRESS, bytes);
  putBytes(writer, IFA_BROADCAST, address.broadcast && ipToBytes(address.broadcast));
  putString(writer, IFA_LABEL, address.label);
  putU32(writer, IFA_FLAGS, address.flags);
  putRaw(writer, address.unknown);
  return writer.finish();
}

/** @throws DecodeError */
export function decodeAddress(payload: Uint8Array): InterfaceAddress {
  const reader = new ByteReader(payload);
  reader.skip(1);
  const [length, flags, scope, index] = [reader.u8(), reader.u8(), reader.u8(), reader.u32()];
  const attributes = new Attributes(reader.rest());
  // On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL is always one's own. IPv6 sends only the former.
  const other = attributes.bytes(IFA_ADDRESS);
  const own = ipFromBytes(attributes.bytes(IFA_LOCAL) ?? other ?? new Uint8Array());
  if (own === undefined) throw new DecodeError("an interface address without an address");
  const broadcast = attributes.bytes(IFA_BROADCAST);
  return {
    index,
    prefix: { address: own, length },
    flags: attributes.u32(IFA_FLAGS) ?? flags,
    scope,
    ...present({
      broadcast: broadcast && ipFromBytes(broadcast),
      label: attributes.string(IFA_LABEL),
    }),
    unknown: attributes.unread(),
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

/** Asks for the addresses of one interface, both families; strict checking makes the kernel filter. */
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
