/**
 * The header of every nf_tables message (uapi linux/netfilter/nfnetlink.h): struct nfgenmsg { u8 family;
 * u8 version; be16 res_id; }. NFTA_* attributes follow, whose numbers are in network order.
 */
import type { Request } from "../connection.ts";
import { encode } from "../encode.ts";
import { type Fields, NAME8, type Schema } from "../schema.ts";

/** NFPROTO_* of uapi linux/netfilter.h: the families of tables by nft's names. */
export const tableFamily = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;

/** A family by nft's name. `inet` is IPv4 and IPv6 together. */
export type TableFamily = keyof typeof tableFamily;

/** struct nfgenmsg, of four bytes. */
export const NFGENMSG = [[0, "family", NAME8, tableFamily]] as const;

/** nfnetlink puts the subsystem into the high byte of the type: NFNL_SUBSYS_NFTABLES. */
const SUBSYSTEM = 10 << 8;

/** NFT_MSG_* of uapi linux/netfilter/nf_tables.h. */
export const messageType = {
  newTable: SUBSYSTEM | 0,
  getTable: SUBSYSTEM | 1,
  deleteTable: SUBSYSTEM | 2,
  newChain: SUBSYSTEM | 3,
  getChain: SUBSYSTEM | 4,
  deleteChain: SUBSYSTEM | 5,
  newRule: SUBSYSTEM | 6,
  getRule: SUBSYSTEM | 7,
  deleteRule: SUBSYSTEM | 8,
  newSet: SUBSYSTEM | 9,
  getSet: SUBSYSTEM | 10,
  deleteSet: SUBSYSTEM | 11,
  newElement: SUBSYSTEM | 12,
  getElement: SUBSYSTEM | 13,
  deleteElement: SUBSYSTEM | 14,
  getGeneration: SUBSYSTEM | 16,
} as const;

/** A request to nf_tables. `flags` are NLM_F_CREATE and the like. */
export const request = <S extends Schema>(
  action: string,
  type: number,
  flags: number,
  schema: S,
  fields: { readonly [F in keyof Fields<S>]?: Fields<S>[F] | undefined },
): Request => ({ action, type, flags, payload: encode(schema, fields) });
