/** Where expressions of nf_tables find what a rule compares, and constants of the kernel that they contain. */
import { ctKey, fib, metaKey, payloadBase } from "../../netlink/nftables/expression.ts";

/**
 * The fields that a rule compares, and how each is loaded: from bytes of a header (struct ethhdr, iphdr, ipv6hdr, the
 * ports of a transport header), or without a base from the packet's metadata, and with base "ct" from its connection. The
 * family is that of the addresses; a row without a family is for both.
 */
export const LOADS = [
  { field: "family", family: undefined, base: undefined, key: metaKey.nfproto, length: 1 },
  { field: "input", family: undefined, base: undefined, key: metaKey.iifname, length: 16 },
  { field: "output", family: undefined, base: undefined, key: metaKey.oifname, length: 16 },
  { field: "mac", family: undefined, base: payloadBase.link, key: 6, length: 6 },
  { field: "source", family: 4, base: payloadBase.network, key: 12, length: 4 },
  { field: "source", family: 6, base: payloadBase.network, key: 8, length: 16 },
  { field: "destination", family: 4, base: payloadBase.network, key: 16, length: 4 },
  { field: "destination", family: 6, base: payloadBase.network, key: 24, length: 16 },
  { field: "protocol", family: undefined, base: undefined, key: metaKey.l4proto, length: 1 },
  { field: "port", family: undefined, base: payloadBase.transport, key: 2, length: 2 },
  { field: "packetMark", family: undefined, base: undefined, key: metaKey.mark, length: 4 },
  { field: "states", family: undefined, base: "ct", key: ctKey.status, length: 4 },
  { field: "isLocal", family: undefined, base: "fib", key: fib.addressType, length: 4 },
] as const;

/** What a rule compares. */
export type Field = (typeof LOADS)[number]["field"];

/** The register of values that are compared, and of a new address; and that of a new port. */
export const REGISTER = 1;
export const PORT_REGISTER = 2;
/** Bytes of an interface's name in a register. */
export const IFNAMSIZ = 16;
/** NFPROTO_IPV4 and NFPROTO_IPV6: the values of `meta nfproto`. */
export const NFPROTO = { 4: 2, 6: 10 } as const;
/** RTN_LOCAL of uapi linux/rtnetlink.h. */
export const LOCAL = Uint8Array.of(2, 0, 0, 0);
/** IPS_DST_NAT of uapi linux/netfilter/nf_conntrack_common.h, as its four bytes. */
export const DST_NAT = Uint8Array.of(1 << 5, 0, 0, 0);
/** NFT_NAT_DNAT. */
export const DNAT = 1;
