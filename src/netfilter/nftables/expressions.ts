/**
 * Rules as expressions of nf_tables, both ways. Written in the widest form: a whole address is loaded and masked, which
 * iptables-nft of every version reads; read in any form that nft and iptables-nft write.
 */
import { bits, type Family, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { comparison } from "../../netlink/nftables/expression/compare.ts";
import type { Expression } from "../../netlink/nftables/expression/expression.ts";
import { metaKey } from "../../netlink/nftables/expression/meta.ts";
import { payloadBase } from "../../netlink/nftables/expression/payload.ts";
import type { TableFamily } from "../../netlink/nftables/header.ts";
import {
  type AddressMatch,
  cString,
  isPlainMasquerade,
  matchesAll,
  prefixLength,
  type Rule,
} from "../rule.ts";

/** What a rule looks at, and the expression that loads it: of a packet's metadata, or bytes of a header. */
const LOADS = [
  { field: "family", family: undefined, key: metaKey.nfproto },
  { field: "input", family: undefined, key: metaKey.iifname },
  // struct ethhdr, iphdr and ipv6hdr.
  { field: "mac", family: undefined, base: payloadBase.link, offset: 6, length: 6 },
  { field: "source", family: 4, base: payloadBase.network, offset: 12, length: 4 },
  { field: "source", family: 6, base: payloadBase.network, offset: 8, length: 16 },
  { field: "destination", family: 4, base: payloadBase.network, offset: 16, length: 4 },
  { field: "destination", family: 6, base: payloadBase.network, offset: 24, length: 16 },
] as const;

type Load = (typeof LOADS)[number];
type Field = Load["field"];

const REGISTER = 1;
const IFNAMSIZ = 16;
/** NFPROTO_IPV4 and NFPROTO_IPV6: what `meta nfproto` gives. */
const NFPROTO = { 4: 2, 6: 10 } as const;
/** sizeof(struct xt_comment_info); the text ends with a NUL. */
const COMMENT_SIZE = 256;
/** sizeof(struct nf_nat_ipv4_multi_range_compat) and sizeof(struct nf_nat_range), padded to eight bytes. */
const RANGE_SIZE = { 4: 24, 6: 40 } as const;

/**
 * What makes a rule in a table of that family. In ip and ip6 the order and the extensions are those of iptables-nft:
 * addresses, comment, counter, target; in inet it begins with the family, as nft does.
 * @param setId number of the set that the same transaction adds
 */
export function encodeRule(rule: Rule, table: TableFamily, setId?: number): Expression[] {
  const { source, destination, input, mac, sourceSet, comment, verdict, target } = rule;
  const ofIptables = table === "ip" || table === "ip6";
  const family = (source ?? destination)?.prefix.address.family ?? (table === "ip6" ? 6 : 4);
  const list: Expression[] = [];
  const load = (field: Field): void => {
    for (const row of LOADS) {
      if (row.field !== field || (row.family ?? family) !== family) continue;
      if ("key" in row) list.push({ name: "meta", key: row.key, register: REGISTER });
      else {
        const { base, offset, length } = row;
        list.push({ name: "payload", register: REGISTER, base, offset, length });
      }
    }
  };
  const match = (field: Field, value: Uint8Array, length = value.length * 8, inverted = false): void => {
    load(field);
    if (length < value.length * 8) {
      const host = (1n << BigInt(bits(family) - length)) - 1n;
      const mask = ipToBytes({ family, value: ((1n << BigInt(bits(family))) - 1n) ^ host });
      list.push({
        name: "bitwise",
        source: REGISTER,
        target: REGISTER,
        mask,
        xor: new Uint8Array(mask.length),
      });
    }
    const operator = inverted ? comparison.notEqual : comparison.equal;
    list.push({ name: "cmp", register: REGISTER, operator, value });
  };
  if (table === "inet" && (source ?? destination) !== undefined)
    match("family", Uint8Array.of(NFPROTO[family]));
  if (input !== undefined) match("input", fixed(input, IFNAMSIZ));
  if (mac !== undefined) match("mac", mac);
  if (sourceSet !== undefined) {
    load("source");
    list.push({ name: "lookup", set: sourceSet, register: REGISTER, ...(setId !== undefined && { setId }) });
  }
  for (const field of ["source", "destination"] as const) {
    const wanted = rule[field];
    if (wanted === undefined || matchesAll(wanted)) continue;
    match(field, ipToBytes(wanted.prefix.address), wanted.prefix.length, wanted.inverted);
  }
  if (comment !== undefined) {
    list.push({ name: "match", extension: "comment", revision: 0, info: fixed(comment, COMMENT_SIZE) });
  }
  if (ofIptables) list.push({ name: "counter", packets: 0n, bytes: 0n });
  if (verdict === "masquerade" && ofIptables) {
    // No range of ports; IPv4's structure holds a count of ranges first, which must be 1.
    const info = new Uint8Array(RANGE_SIZE[family]);
    if (family === 4) info[0] = 1;
    list.push({ name: "target", extension: "MASQUERADE", revision: 0, info });
  } else if (verdict === "masquerade") list.push({ name: "masq" });
  else if (verdict !== "continue") {
    const data = target === undefined ? { verdict } : { verdict, chain: target };
    list.push({ name: "immediate", register: 0, data });
  }
  return list;
}

/** A text in a field of that size, with at least one NUL behind it. */
function fixed(text: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new TextEncoder().encodeInto(text, bytes.subarray(0, size - 1));
  return bytes;
}

/** What a register holds while a rule is read. */
interface Loaded {
  readonly field: Field | undefined;
  readonly length: number;
  readonly mask?: Uint8Array;
}

const NOTHING: Loaded = { field: undefined, length: 0 };

/** What was understood of some expressions. */
export interface Read {
  readonly rule: Rule;
  /** Whether that is all that they do. */
  readonly isWhole: boolean;
}

/** The rule that `expressions` in a table of that family make. */
export function readRule(expressions: readonly Expression[], table: TableFamily): Read {
  const rule: { -readonly [K in keyof Rule]: Rule[K] } = { verdict: "continue" };
  const registers = new Map<number, Loaded>();
  // In a table of both families the rule itself says it.
  let family: Family | undefined = table === "ip" ? 4 : table === "ip6" ? 6 : undefined;
  let isWhole = true;
  for (const expression of expressions) {
    let understood = rule.verdict === "continue";
    switch (expression.name) {
      case "counter":
        break;
      case "meta":
      case "payload": {
        const row = LOADS.find((each) => isLoadedBy(each, expression) && (each.family ?? family) === family);
        const length = expression.name === "payload" ? expression.length : IFNAMSIZ;
        registers.set(expression.register, { field: row?.field, length });
        understood &&= row !== undefined;
        break;
      }
      case "bitwise": {
        const { field, length } = registers.get(expression.source) ?? NOTHING;
        registers.set(expression.target, { field, length, mask: expression.mask });
        understood &&=
          (field === "source" || field === "destination") && expression.xor.every((byte) => byte === 0);
        break;
      }
      case "cmp": {
        const { operator, value } = expression;
        const loaded = registers.get(expression.register) ?? NOTHING;
        const { field } = loaded;
        if (field === "source" || field === "destination") {
          const found = family && matchOf(loaded, operator, value, family);
          understood &&= found !== undefined && rule[field] === undefined;
          if (found !== undefined) rule[field] = found;
          break;
        }
        understood &&= operator === comparison.equal;
        if (field === "family") {
          const found = value[0] === NFPROTO[4] ? 4 : value[0] === NFPROTO[6] ? 6 : undefined;
          understood &&= found !== undefined && (family ?? found) === found;
          family ??= found;
        } else if (field === undefined || rule[field] !== undefined || value.length !== loaded.length) {
          understood = false;
        }
        if (field === "input") rule.input ??= cString(value);
        else if (field === "mac") rule.mac ??= value;
        break;
      }
      case "lookup":
        understood &&=
          registers.get(expression.register)?.field === "source" &&
          !expression.inverted &&
          expression.target === undefined;
        rule.sourceSet = expression.set;
        break;
      case "match":
        understood &&= expression.extension === "comment";
        if (understood) rule.comment = cString(expression.info);
        break;
      case "masq":
        // With flags it chooses ports in another way than asked for.
        understood &&= !expression.flags;
        rule.verdict = "masquerade";
        break;
      case "target":
        understood &&=
          expression.extension === "MASQUERADE" &&
          family !== undefined &&
          isPlainMasquerade(expression.info, family);
        rule.verdict = "masquerade";
        break;
      case "immediate": {
        const { data } = expression;
        understood &&= "verdict" in data && data.verdict !== "break";
        if ("verdict" in data && data.verdict !== "break") rule.verdict = data.verdict;
        if ("chain" in data && data.chain !== undefined) rule.target ??= data.chain;
        break;
      }
      default:
        understood = false;
    }
    isWhole &&= understood;
  }
  return { rule, isWhole };
}

const isLoadedBy = (row: Load, expression: Extract<Expression, { name: "meta" | "payload" }>): boolean =>
  "key" in row
    ? expression.name === "meta" && expression.key === row.key
    : expression.name === "payload" &&
      expression.base === row.base &&
      expression.offset === row.offset &&
      expression.length <= row.length;

/** A prefix of whole bytes may be compared by these bytes alone, any other one through a mask. */
function matchOf(
  { length, mask }: Loaded,
  operator: number,
  value: Uint8Array,
  family: Family,
): AddressMatch | undefined {
  const whole = new Uint8Array(bits(family) / 8);
  whole.set(value.subarray(0, whole.length));
  const address = ipFromBytes(whole);
  const ones = mask === undefined ? length * 8 : prefixLength(mask);
  const isKnown = operator === comparison.equal || operator === comparison.notEqual;
  if (!isKnown || address === undefined || ones === undefined) return undefined;
  return { prefix: { address, length: ones }, inverted: operator === comparison.notEqual };
}
