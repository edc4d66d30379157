/**
 * Decodes a table of x_tables as IPT_SO_GET_ENTRIES returns it (uapi linux/netfilter_ipv4/ip_tables.h and
 * linux/netfilter_ipv6/ip6_tables.h): a sequence of struct ipt_entry, each with matches and one target.
 */
import { bits, type Family, ipFromBytes } from "../../net/ip.ts";
import { DecodeError } from "../../netlink/error.ts";
import { cString, type Extension, prefixLength, protocolOf, readMatch, readTarget } from "../extensions.ts";
import type { AddressMatch, FoundRule, Rule } from "../rule.ts";

/** Offsets in struct ipt_entry and struct ip6t_entry. The second address and mask follow the first. */
const LAYOUT = {
  4: { mask: 8, interfaces: 16, protocol: 80, flags: 82, inverted: 83, target: 88, length: 112 },
  6: { mask: 32, interfaces: 64, protocol: 128, flags: 131, inverted: 132, target: 140, length: 168 },
} as const;
/** IFNAMSIZ: the two interfaces' names and then their masks have this length each. */
const NAME_LENGTH = 16;
/** IPT_INV_VIA_OUT, IPT_INV_SRCIP and IPT_INV_DSTIP. */
const INVERTED = { output: 0x02, source: 0x08, destination: 0x10 } as const;
/** IP6T_F_PROTO of uapi linux/netfilter_ipv6/ip6_tables.h. */
const IP6T_F_PROTO = 1;
/** struct xt_entry_match and _target: u16 size, 29 bytes of name, u8 revision, data. */
const EXTENSION_HEADER = 32;
/** The built-in chains by NF_INET_* number. */
const BUILT_IN = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"] as const;
/** By -code - 1: NF_DROP, NF_ACCEPT, two that no rule of B28 has, and NF_REPEAT, which means RETURN. */
const VERDICTS: readonly (Rule["verdict"] | undefined)[] = ["drop", "accept", undefined, undefined, "return"];

/** What IPT_SO_GET_INFO says about a table (struct ipt_getinfo). */
export interface TableInfo {
  /** Bits of the hooks that the table has. */
  readonly hooks: number;
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
  return {
    hooks: view.getUint32(32, true),
    firstEntries: fiveAt(36),
    policies: fiveAt(56),
    size: view.getUint32(80, true),
  };
}

/** What a table contains. */
export interface LegacyTable {
  /** The rules of all chains. */
  readonly chains: ReadonlyMap<string, readonly FoundRule[]>;
  /** The built-in chains whose policy is to drop packets. */
  readonly dropping: ReadonlySet<string>;
}

/** The table that no program has used yet. */
export const NO_TABLE: LegacyTable = { chains: new Map(), dropping: new Set() };

/** Decodes the entries of a table. @throws DecodeError */
export function decodeEntries(bytes: Uint8Array, info: TableInfo, family: Family): LegacyTable {
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
    const header = target.extension === "ERROR" ? cString(target.info) : undefined;
    entries.push({ offset, bytes: own, header });
    offset += length;
    if (header !== undefined) names.set(offset, header);
  }
  const chains = new Map<string, FoundRule[]>();
  const dropping = new Set<string>();
  const firsts = new Map<number | undefined, string>();
  for (const [hook, chain] of BUILT_IN.entries()) {
    if ((info.hooks & (1 << hook)) === 0) continue;
    chains.set(chain, []);
    firsts.set(info.firstEntries[hook], chain);
  }
  let current = "";
  // The last entry is a header without a chain. The entry before each header is a policy.
  for (const [index, { offset, bytes: own, header }] of entries.slice(0, -1).entries()) {
    if (header !== undefined) {
      current = header;
      chains.set(current, []);
      continue;
    }
    current = firsts.get(offset) ?? current;
    const found = decodeEntry(own, offset, family, names);
    const isPolicy = entries[index + 1]?.header !== undefined || info.policies.includes(offset);
    if (!isPolicy) chains.get(current)?.push({ chain: current, ...found });
    else if (found.rule?.verdict === "drop") dropping.add(current);
  }
  return { chains, dropping };
}

function decodeEntry(
  bytes: Uint8Array,
  offset: number,
  family: Family,
  names: ReadonlyMap<number, string>,
): Pick<FoundRule, "rule" | "part" | "target" | "input"> {
  const layout = LAYOUT[family];
  const view = viewOf(bytes);
  const targetAt = view.getUint16(layout.target, true);
  const rule: { -readonly [K in keyof Rule]: Rule[K] } = { verdict: "continue" };
  const inverted = bytes[layout.inverted] ?? 0;
  const number = view.getUint16(layout.protocol, true);
  const protocol = protocolOf(number);
  if (protocol !== undefined) rule.protocol = protocol;
  let isWhole =
    (number === 0 || protocol !== undefined) &&
    // IPv6 notes in its flags that the rule has a protocol.
    bytes[layout.flags] === (family === 6 && number !== 0 ? IP6T_F_PROTO : 0) &&
    (inverted & ~(INVERTED.output | INVERTED.source | INVERTED.destination)) === 0;
  const [input, output] = [0, 1].map((index) => interfaceAt(bytes, layout.interfaces, index));
  if (input === undefined || output === undefined) isWhole = false;
  else if (input !== "") rule.input = input;
  const isOutputInverted = (inverted & INVERTED.output) !== 0;
  if (output) rule.output = { name: output, inverted: isOutputInverted };
  else if (isOutputInverted) isWhole = false;
  for (let at: number = layout.length; at < targetAt; ) {
    const match = extensionAt(bytes, at);
    if (!readMatch(match, rule)) isWhole = false;
    at += match.size;
  }
  const found = extensionAt(bytes, targetAt);
  if (found.extension === "") {
    const code = viewOf(found.info).getInt32(0, true);
    const verdict = code < 0 ? VERDICTS[-code - 1] : undefined;
    const target = code < 0 ? undefined : names.get(code);
    if (target !== undefined) {
      rule.target = target;
      rule.verdict = "jump";
    } else if (verdict !== undefined) rule.verdict = verdict;
    // A jump to the next entry is a rule without a target.
    else if (code !== offset + bytes.length) isWhole = false;
  } else if (!readTarget(found, rule, family)) isWhole = false;
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
  return { rule: isWhole ? rule : undefined, part: rule, target: rule.target, ...(input && { input }) };
}

/** The input interface (0) or the output one (1): "" if any matches, undefined for the beginning of a name. */
function interfaceAt(bytes: Uint8Array, start: number, index: number): string | undefined {
  const field = (at: number): Uint8Array =>
    bytes.subarray(start + at * NAME_LENGTH, start + (at + 1) * NAME_LENGTH);
  const [name, mask] = [cString(field(index)), field(2 + index)];
  // The mask of a whole name includes its NUL.
  const length = name === "" ? 0 : new TextEncoder().encode(name).length + 1;
  return mask.every((byte, at) => byte === (at < length ? 0xff : 0)) ? name : undefined;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function extensionAt(bytes: Uint8Array, at: number): Extension & { readonly size: number } {
  const size = viewOf(bytes).getUint16(at, true);
  if (size < EXTENSION_HEADER || at + size > bytes.length)
    throw new DecodeError(`an extension has an invalid length of ${size} bytes`);
  const info = bytes.subarray(at + EXTENSION_HEADER, at + size);
  const extension = cString(bytes.subarray(at + 2, at + EXTENSION_HEADER - 1));
  return { extension, revision: bytes[at + EXTENSION_HEADER - 1] ?? 0, size, info };
}
