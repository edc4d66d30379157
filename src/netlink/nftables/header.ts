/**
 * What every nf_tables message begins with (uapi linux/netfilter/nfnetlink.h): struct nfgenmsg { u8 family;
 * u8 version; be16 res_id; }, then NFTA_* attributes. The numbers in them are in network order.
 */
import { Attributes } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { DecodeError } from "../error.ts";
import type { Message } from "../message.ts";

/** NFPROTO_* of uapi linux/netfilter.h: the families that a table can have, by their names in nft. */
export const tableFamily = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;

/** Which packets a table sees: those of one protocol, of IPv4 and IPv6 together (inet), or of a bridge. */
export type TableFamily = keyof typeof tableFamily;

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
  newGeneration: SUBSYSTEM | 15,
  getGeneration: SUBSYSTEM | 16,
} as const;

/** Appends struct nfgenmsg. `resource` is the subsystem in a batch's bounds, else 0. */
export function putHeader(writer: ByteWriter, family: number, resource = 0): void {
  writer.u8(family);
  writer.u8(0);
  writer.u16be(resource);
}

/** A request to nf_tables. `flags` are NLM_F_CREATE and the like. */
export function request(
  action: string,
  type: number,
  family: TableFamily,
  flags: number,
  body: (writer: ByteWriter) => void,
): Request {
  const writer = new ByteWriter();
  putHeader(writer, tableFamily[family]);
  body(writer);
  return { action, type, flags, payload: writer.finish() };
}

/** Family and attributes of a message from nf_tables. @throws DecodeError */
export function decodeHeader(message: Message): { family: TableFamily; attributes: Attributes } {
  const reader = new ByteReader(message.payload);
  const number = reader.u8();
  reader.skip(3);
  const family = (Object.keys(tableFamily) as TableFamily[]).find((name) => tableFamily[name] === number);
  if (family === undefined) throw new DecodeError(`nf_tables knows no family ${number}`);
  return { family, attributes: new Attributes(message.payload, reader.at) };
}

/** A text that an object cannot be without. @throws DecodeError */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new DecodeError(`the message has no ${what}`);
  return value;
}
