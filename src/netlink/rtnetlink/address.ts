/** Schema and requests of interface addresses: struct ifaddrmsg and IFA_* of uapi linux/if_addr.h. */
import { type IpAddress, sameIp } from "../../net/ip.ts";
import { formatPrefix, lastAddress, type Prefix } from "../../net/prefix.ts";
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { DecodeError } from "../error.ts";
import { addressFamily, checkFamilies, familyOf, IP, prefixOf } from "../ip-attribute.ts";
import { flag, type Message } from "../message.ts";
import { CUSTOM, type Fields, S32, STRING, schema, U8, U32 } from "../schema.ts";

export { addressFamily };

export const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** RTMGRP_IPV6_IFADDR, for a socket's `groups`: IPv6 addresses are added, deleted or changed, as when DAD ends. */
export const IPV6_ADDRESS_EVENTS = 0x100;

/** IFA_F_* of uapi linux/if_addr.h. */
export const addressFlag = { noDad: 0x02, dadFailed: 0x08, tentative: 0x40, permanent: 0x80 } as const;

export const ADDRESS = schema(
  8,
  [
    [0, "family", U8],
    [1, "length", U8],
    [2, "shortFlags", U8],
    // RT_SCOPE_*: 0 global, 253 link, 254 host.
    [3, "scope", U8],
    [4, "index", U32],
  ],
  [
    // IFA_LOCAL is the interface's own address. IFA_ADDRESS is the peer's on a point-to-point link. IPv6 sends only it.
    [2, "local", CUSTOM, IP],
    [1, "remote", CUSTOM, IP],
    [4, "broadcast", CUSTOM, IP],
    [3, "label", STRING],
    [8, "longFlags", U32],
    // The kernel's number for another namespace, in a request about it and in the answer (Linux 4.20 and later).
    [10, "targetNetnsId", S32],
  ],
);

/** An address of an interface. */
export interface InterfaceAddress
  extends Pick<Fields<typeof ADDRESS>, "scope" | "broadcast" | "label" | "targetNetnsId" | "unknown"> {
  /** Interface index. */
  index: number;
  /** The interface's own address, with its prefix length. */
  prefix: Prefix;
  /** The other end's address, where it differs, as on a point-to-point link. */
  peer?: IpAddress | undefined;
  /** IFA_F_* bits, all 32. */
  flags?: number | undefined;
}

export function encodeAddress(given: InterfaceAddress): Uint8Array {
  const { address, length } = given.prefix;
  const { index, flags = 0, scope, broadcast, label, targetNetnsId, unknown } = given;
  return encode(ADDRESS, {
    family: addressFamily[address.family],
    length,
    shortFlags: flags & 0xff,
    scope,
    index,
    local: address,
    remote: given.peer ?? address,
    broadcast,
    label,
    // The header has only eight bits. If there is the attribute, the kernel ignores the header's flags.
    longFlags: flags > 0xff ? flags : undefined,
    targetNetnsId,
    unknown,
  });
}

/** @throws DecodeError; also for a family other than IPv4 and IPv6. */
export function decodeAddress(payload: Uint8Array): InterfaceAddress {
  const found = decode(ADDRESS, payload);
  const { remote, local = remote, longFlags = found.shortFlags } = found;
  checkFamilies(found.family, "an interface address", local, remote, found.broadcast);
  if (local === undefined) throw new DecodeError("an interface address without an address");
  const address: InterfaceAddress = found as typeof found & { prefix: Prefix };
  address.prefix = prefixOf(local, found.length);
  address.flags = longFlags;
  if (remote !== undefined && !sameIp(remote, local)) address.peer = remote;
  return address;
}

/** Adds an address; EEXIST when the interface has it. IPv4 also gets a broadcast address, as with `ip addr add … brd +`. */
export const addAddress = (index: number, prefix: Prefix, flags: number, interfaceName: string): Request => ({
  action: `add address ${formatPrefix(prefix)} to ${JSON.stringify(interfaceName)}`,
  type: RTM_NEWADDR,
  flags: flag.create | flag.exclusive,
  payload: encodeAddress({
    index,
    prefix,
    flags,
    broadcast: prefix.address.family === 4 && prefix.length < 31 ? lastAddress(prefix) : undefined,
  }),
});

export const deleteAddress = (index: number, prefix: Prefix, interfaceName: string): Request => ({
  action: `delete address ${formatPrefix(prefix)} from ${JSON.stringify(interfaceName)}`,
  type: RTM_DELADDR,
  flags: 0,
  payload: encodeAddress({ index, prefix }),
});

/** Lists the addresses of one interface, both families; ENODEV when it does not exist. */
export const dumpAddresses = (index: number): Request => ({
  action: `list addresses of interface ${index}`,
  type: RTM_GETADDR,
  flags: 0,
  payload: encode(ADDRESS, { index }),
});

/**
 * Lists the addresses of all interfaces of this namespace, or of another by its number in this one. Kernels before 4.20
 * always list those of this namespace: check `targetNetnsId`.
 */
export const dumpAddressesIn = (netnsId?: number): Request => ({
  action: netnsId === undefined ? "list addresses" : `list addresses of namespace ${netnsId}`,
  type: RTM_GETADDR,
  flags: 0,
  payload: encode(ADDRESS, { targetNetnsId: netnsId }),
});

/**
 * The IP address in a reply to `dumpAddresses`, if it belongs to that interface. Kernels before 4.20 send the addresses of
 * all interfaces, and all kernels also those of other families. @throws DecodeError
 */
export function addressOf({ type, payload }: Message, index: number): InterfaceAddress | undefined {
  if (type !== RTM_NEWADDR || familyOf(payload[0] ?? 0) === undefined) return undefined;
  const address = decodeAddress(payload);
  return address.index === index ? address : undefined;
}
