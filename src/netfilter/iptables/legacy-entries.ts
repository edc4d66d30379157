/**
 * Decodes a table of x_tables as IPT_SO_GET_ENTRIES returns it (uapi linux/netfilter_ipv4/ip_tables.h and
 * linux/netfilter_ipv6/ip6_tables.h): a sequence of struct ipt_entry, each with matches and one target.
 */
import { bits, type Family, ipFromBytes } from "../../net/ip.ts";
import { DecodeError } from "../../netlink/error.ts";
import type { AddressMatch, FoundRule, Rule } from "../rule.ts";
import { cString, isPlainMasquerade, prefixLength } from "../structures.ts";

/** Offsets in struct ipt_entry and struct ip6t_entry. The second address and mask follow the first. */
const LAYOUT = {
  4: { mask: 8, interfaces: 16, protocol: 80, flags: 82, inverted: 83, target: 88, length: 112 },
  6: { mask: 32, interfaces: 64, protocol: 128, flags: 131, inverted: 132, target: 140, length: 168 },
} as const;
/** Names and masks of the two interfaces: four times IFNAMSIZ. */
const INTERFACES_LENGTH = 64;
/** IPT_INV_SRCIP and IPT_INV_DSTIP. */
const INVERTED = { source: 0x08, destination: 0x10 } as const;
/** struct xt_entry_match and _target: u16 size, 29 bytes of name, u8 revision, data. */
const EXTENSION_HEADER = 32;
/** NF_INET_POST_ROUTING. */
const POSTROUTING_HOOK = 4;
/** By -code - 1: NF_DROP, NF_ACCEPT, two that no rule of B28 has, and NF_REPEAT, which means RETURN. */
const VERDICTS: readonly (Rule["verdict"] | undefined)[] = ["drop", "accept", undefined, undefined, "return"];

/** What IPT_SO_GET_INFO says about a table (struct ipt_getinfo). */
export interface TableInfo {
  /** Bytes of entries. */
  readonly size: number;
  /** Offsets of each built-in chain's first entry and of its last one, the policy; by NF_INET_* number. */
  readonly firstEntries: readonly number[];
  readonly policies: readonly number[];
}

/** sizeof(struct ipt_getinfo). */
export const INFO_LENGTH = 84;

/** Decodes struct ipt_getinfo: name[32], u32 valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
export function decodeInfo(bytes: Uint8Array): TableInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fiveAt = (at: number): number[] =>
    Array.from({ length: 5 }, (_, index) => view.getUint32(at + 4 * index, true));
  return { firstEntries: fiveAt(36), policies: fiveAt(56), size: view.getUint32(80, true) };
}

/** The rules of the chains that B28 uses: POSTROUTING and all user-defined ones. @throws DecodeError */
export function decodeEntries(bytes: Uint8Array, info: TableInfo, family: Family): Map<string, FoundRule[]> {
  const { target: targetAt } = LAYOUT[family];
  const entries: {
    readonly offset: number;
    readonly bytes: Uint8Array;
    readonly header: string | undefined;
  }[] = [];
  // A jump leads to the entry after the one that names the chain, whose target is called ERROR.
  const names = new Map<number, string>();
  for (let offset = 0; offset < info.size; ) {
    const length = viewOf(bytes).getUint16(offset + targetAt + 2, true);
    if (length === 0 || offset + length > bytes.length) {
      throw new DecodeError(`the entry at offset ${offset} has an invalid length of ${length} bytes`);
    }
    const own = bytes.subarray(offset, offset + length);
    const target = extensionAt(own, viewOf(own).getUint16(targetAt, true));
    const header = target.name === "ERROR" ? cString(target.data) : undefined;
    entries.push({ offset, bytes: own, header });
    offset += length;
    if (header !== undefined) names.set(offset, header);
  }
  const [first = 0, policy = 0] = [info.firstEntries[POSTROUTING_HOOK], info.policies[POSTROUTING_HOOK]];
  const chains = new Map<string, FoundRule[]>([["POSTROUTING", []]]);
  let current: string | undefined;
  // The last entry is a header without a chain. The entry before each header is a policy.
  for (const [index, { offset, bytes: own, header }] of entries.slice(0, -1).entries()) {
    if (header !== undefined) {
      current = header;
      chains.set(current, []);
      continue;
    }
    const isLast = entries[index + 1]?.header !== undefined;
    const chain = offset >= first && offset < policy ? "POSTROUTING" : isLast ? undefined : current;
    if (chain !== undefined) chains.get(chain)?.push({ chain, ...decodeEntry(own, offset, family, names) });
  }
  return chains;
}

function decodeEntry(
  bytes: Uint8Array,
  offset: number,
  family: Family,
  names: ReadonlyMap<number, string>,
): Pick<FoundRule, "rule" | "target"> {
  const layout = LAYOUT[family];
  const view = viewOf(bytes);
  const targetAt = view.getUint16(layout.target, true);
  const { name, data } = extensionAt(bytes, targetAt);
  let verdict: Rule["verdict"] | undefined;
  let target: string | undefined;
  if (name === "MASQUERADE" && isPlainMasquerade(data, family)) verdict = "masquerade";
  else if (name === "") {
    const code = viewOf(data).getInt32(0, true);
    if (code < 0) verdict = VERDICTS[-code - 1];
    // A jump to the next entry is a rule without a target.
    else if (code === offset + bytes.length) verdict = "continue";
    else {
      target = names.get(code);
      verdict = target === undefined ? undefined : "jump";
    }
  }
  const inverted = bytes[layout.inverted] ?? 0;
  let isWhole =
    verdict !== undefined &&
    bytes.subarray(layout.interfaces, layout.interfaces + INTERFACES_LENGTH).every((byte) => byte === 0) &&
    view.getUint16(layout.protocol, true) === 0 &&
    bytes[layout.flags] === 0 &&
    (inverted & ~(INVERTED.source | INVERTED.destination)) === 0;
  const rule: { -readonly [K in keyof Rule]: Rule[K] } = { verdict: verdict ?? "continue" };
  if (target !== undefined) rule.target = target;
  for (let at: number = layout.length; at < targetAt; ) {
    const match = extensionAt(bytes, at);
    isWhole &&= match.name === "comment" && rule.comment === undefined;
    rule.comment = cString(match.data);
    at += match.size;
  }
  const size = bits(family) / 8;
  for (const [index, field] of (["source", "destination"] as const).entries()) {
    const address = ipFromBytes(bytes.subarray(index * size, (index + 1) * size));
    const maskAt = layout.mask + index * size;
    const length = prefixLength(bytes.subarray(maskAt, maskAt + size));
    const isInverted = (inverted & INVERTED[field]) !== 0;
    if (address === undefined || length === undefined) isWhole = false;
    else if (length > 0 || isInverted) {
      rule[field] = { prefix: { address, length }, inverted: isInverted } satisfies AddressMatch;
    }
  }
  return { rule: isWhole ? rule : undefined, target };
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function extensionAt(bytes: Uint8Array, at: number): { name: string; size: number; data: Uint8Array } {
  const size = viewOf(bytes).getUint16(at, true);
  if (size < EXTENSION_HEADER || at + size > bytes.length)
    throw new DecodeError(`an extension has an invalid length of ${size} bytes`);
  const data = bytes.subarray(at + EXTENSION_HEADER, at + size);
  return { name: cString(bytes.subarray(at + 2, at + 31)), size, data };
}
