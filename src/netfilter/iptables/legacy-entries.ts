/**
 * The table of x_tables as IPT_SO_GET_ENTRIES gives it (uapi linux/netfilter_ipv4/ip_tables.h and
 * linux/netfilter_ipv6/ip6_tables.h): a row of struct ipt_entry, each with matches and one target. Pure.
 */
import { bits, type Family, ipFromBytes } from "../../net/ip.ts";
import { ByteReader } from "../../netlink/bytes.ts";
import { DecodeError } from "../../netlink/error.ts";
import type { Action, AddressMatch, AddressRule } from "../address-rule.ts";
import { cString, isPlainMasquerade, prefixLength } from "../expressions.ts";

/** Where things are in struct ipt_entry and struct ip6t_entry. */
const LAYOUT = {
  4: {
    address: 0,
    mask: 8,
    interfaces: 16,
    protocol: 80,
    flags: 82,
    inverted: 83,
    targetOffset: 88,
    length: 112,
  },
  6: {
    address: 0,
    mask: 32,
    interfaces: 64,
    protocol: 128,
    flags: 131,
    inverted: 132,
    targetOffset: 140,
    length: 168,
  },
} as const;
/** Names and masks of the two interfaces: four times IFNAMSIZ. */
const INTERFACES_LENGTH = 64;
const INVERTED_SOURCE = 0x08;
const INVERTED_DESTINATION = 0x10;
/** struct xt_entry_match and _target: u16 size, 29 bytes of name, u8 revision, data. */
const EXTENSION_HEADER = 32;

/** What IPT_SO_GET_INFO says of a table (struct ipt_getinfo). */
export interface TableInfo {
  /** Bytes of entries. */
  readonly size: number;
  /** Offsets of the first entry of each built-in chain, and of its last: the policy. By NF_INET_* number. */
  readonly firstEntries: readonly number[];
  readonly policies: readonly number[];
}

/** sizeof(struct ipt_getinfo). */
export const INFO_LENGTH = 84;

/** Decodes struct ipt_getinfo: name[32], u32 valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
export function decodeInfo(bytes: Uint8Array): TableInfo {
  const reader = new ByteReader(bytes);
  reader.skip(32 + 4);
  const five = (): number[] => Array.from({ length: 5 }, () => reader.u32());
  const [firstEntries, policies] = [five(), five()];
  reader.skip(4);
  return { firstEntries, policies, size: reader.u32() };
}

/** A rule as it stands in the table. */
export interface LegacyRule {
  /** Undefined when it does what no rule of B28 does. */
  readonly rule: AddressRule | undefined;
  /** The chain that it leads to, of any rule. */
  readonly jump?: string;
}

/** Rules by chain. */
export type LegacyChains = ReadonlyMap<string, readonly LegacyRule[]>;

interface Entry {
  readonly offset: number;
  /** Name of the user-defined chain that begins here; "ERROR" ends the table. The rule before either is a policy. */
  readonly chain: string | undefined;
  /** Where a jump leads, as an offset; such a rule's action is not known yet. */
  readonly jump: number | undefined;
  readonly rule: AddressRule | undefined;
}

const POSTROUTING = 4;

/** The chains of B28's concern: POSTROUTING and all user-defined ones. @throws DecodeError */
export function decodeEntries(bytes: Uint8Array, info: TableInfo, family: Family): LegacyChains {
  const entries: Entry[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { targetOffset } = LAYOUT[family];
  for (let offset = 0; offset < info.size; ) {
    const next = view.getUint16(offset + targetOffset + 2, true);
    if (next === 0 || offset + next > bytes.length)
      throw new DecodeError(`entry at ${offset} of ${next} bytes`);
    entries.push(decodeEntry(bytes.subarray(offset, offset + next), offset, family));
    offset += next;
  }
  const first = info.firstEntries[POSTROUTING];
  const policy = info.policies[POSTROUTING];
  const chains = new Map<string, LegacyRule[]>([["POSTROUTING", []]]);
  // A jump leads behind the entry that names the chain.
  const names = new Map(
    entries.flatMap((entry, index): [number, string][] =>
      entry.chain === undefined ? [] : [[entries[index + 1]?.offset ?? 0, entry.chain]],
    ),
  );
  let current: string | undefined;
  for (const [index, entry] of entries.slice(0, -1).entries()) {
    if (entry.chain !== undefined) {
      current = entry.chain;
      chains.set(current, []);
    } else if (
      first !== undefined &&
      policy !== undefined &&
      entry.offset >= first &&
      entry.offset < policy
    ) {
      chains.get("POSTROUTING")?.push(resolved(entry, names));
    } else if (
      current !== undefined &&
      entries[index + 1]?.chain === undefined &&
      index + 1 < entries.length
    ) {
      chains.get(current)?.push(resolved(entry, names));
    }
  }
  return chains;
}

function resolved({ rule, jump: offset }: Entry, names: ReadonlyMap<number, string>): LegacyRule {
  const jump = offset === undefined ? undefined : names.get(offset);
  if (jump === undefined) return { rule: offset === undefined ? rule : undefined };
  return { rule: rule && { ...rule, action: { jump } }, jump };
}

function decodeEntry(bytes: Uint8Array, offset: number, family: Family): Entry {
  const layout = LAYOUT[family];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const targetAt = view.getUint16(layout.targetOffset, true);
  const target = extensionAt(bytes, targetAt);
  const none = { offset, chain: undefined, jump: undefined, rule: undefined };
  if (target.name === "ERROR") {
    return { ...none, chain: cString(target.data) };
  }
  const code =
    target.name === "" ? new DataView(target.data.buffer, target.data.byteOffset).getInt32(0, true) : 0;
  // A jump to the next entry is a rule without a target.
  const action: Action | undefined =
    target.name === "MASQUERADE" && isPlainMasquerade(target.data, family)
      ? "masquerade"
      : target.name !== ""
        ? undefined
        : code === offset + bytes.length
          ? "continue"
          : code >= 0
            ? { jump: "" }
            : VERDICTS[-code - 1];
  const jump = typeof action === "object" ? code : undefined;
  const matches = extensions(bytes.subarray(0, targetAt), layout.length);
  const [comment, ...others] = matches;
  const anything =
    bytes.subarray(layout.interfaces, layout.interfaces + INTERFACES_LENGTH).some((byte) => byte !== 0) ||
    view.getUint16(layout.protocol, true) !== 0 ||
    bytes[layout.flags] !== 0 ||
    others.length > 0 ||
    (comment !== undefined && comment.name !== "comment");
  if (anything || action === undefined) return { ...none, jump };
  const size = bits(family) / 8;
  const inverted = bytes[layout.inverted] ?? 0;
  const match = (at: number, bit: number): AddressMatch | undefined | null => {
    const address = ipFromBytes(bytes.subarray(layout.address + at, layout.address + at + size));
    const length = prefixLength(bytes.subarray(layout.mask + at, layout.mask + at + size));
    if (address === undefined || length === undefined) return null;
    if (length === 0 && (inverted & bit) === 0) return undefined;
    return { prefix: { address, length }, inverted: (inverted & bit) !== 0 };
  };
  const source = match(0, INVERTED_SOURCE);
  const destination = match(size, INVERTED_DESTINATION);
  if (source === null || destination === null || (inverted & ~(INVERTED_SOURCE | INVERTED_DESTINATION)) !== 0)
    return { ...none, jump };
  const rule: AddressRule = {
    action,
    ...(source && { source }),
    ...(destination && { destination }),
    ...(comment && { comment: cString(comment.data) }),
  };
  return { ...none, jump, rule };
}

/** By -code - 1: NF_DROP, NF_ACCEPT, then what no rule of B28 has, and RETURN as NF_REPEAT. */
const VERDICTS: readonly (Action | undefined)[] = [undefined, "accept", undefined, undefined, "return"];

function extensionAt(bytes: Uint8Array, at: number): { name: string; size: number; data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint16(at, true);
  if (size < EXTENSION_HEADER || at + size > bytes.length)
    throw new DecodeError(`extension of ${size} bytes`);
  return {
    name: cString(bytes.subarray(at + 2, at + 31)),
    size,
    data: bytes.subarray(at + EXTENSION_HEADER, at + size),
  };
}

function extensions(bytes: Uint8Array, from: number): { name: string; data: Uint8Array }[] {
  const found: { name: string; data: Uint8Array }[] = [];
  for (let at = from; at < bytes.length; ) {
    const extension = extensionAt(bytes, at);
    found.push(extension);
    at += extension.size;
  }
  return found;
}
