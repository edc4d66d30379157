/**
 * Writes rules as expressions of nf_tables, and reads them. They are written in a form that every version of
 * iptables-nft reads: the whole address is loaded and masked. Every form that nft and iptables-nft write is read.
 */
import { bits, type Family, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { comparison, type Expression, metaKey, payloadBase } from "../../netlink/nftables/expression.ts";
import type { TableFamily } from "../../netlink/nftables/header.ts";
import type { AddressMatch, Rule } from "../rule.ts";
import {
  CONNTRACK_REVISION,
  conntrackStates,
  cString,
  isPlainMasquerade,
  prefixLength,
  statesIn,
} from "../structures.ts";

/**
 * The fields that a rule compares, and how each is loaded: from bytes of a header (struct ethhdr, iphdr, ipv6hdr) or,
 * without a base, from the packet's metadata. The family is that of the addresses; a row without a family is for both.
 */
const LOADS = [
  { field: "family", family: undefined, base: undefined, key: metaKey.nfproto, length: 1 },
  { field: "input", family: undefined, base: undefined, key: metaKey.iifname, length: 16 },
  { field: "output", family: undefined, base: undefined, key: metaKey.oifname, length: 16 },
  { field: "mac", family: undefined, base: payloadBase.link, key: 6, length: 6 },
  { field: "source", family: 4, base: payloadBase.network, key: 12, length: 4 },
  { field: "source", family: 6, base: payloadBase.network, key: 8, length: 16 },
  { field: "destination", family: 4, base: payloadBase.network, key: 16, length: 4 },
  { field: "destination", family: 6, base: payloadBase.network, key: 24, length: 16 },
] as const;

type Field = (typeof LOADS)[number]["field"];

const REGISTER = 1;
/** Bytes of an interface's name in a register. */
const IFNAMSIZ = 16;
/** NFPROTO_IPV4 and NFPROTO_IPV6: the values of `meta nfproto`. */
const NFPROTO = { 4: 2, 6: 10 } as const;

/**
 * The expressions of a rule in a table of that family. In ip and ip6 they have the order and the extensions of
 * iptables-nft: addresses, comment, counter, target. In inet they begin with the family, as with nft.
 * @param setId number of the set that the same transaction adds
 */
export function encodeRule(rule: Rule, table: TableFamily, setId?: number): Expression[] {
  const { source, destination, input, output, mac, sourceSet, states, comment, verdict, target } = rule;
  const ofIptables = table === "ip" || table === "ip6";
  const family = (source ?? destination)?.prefix.address.family ?? (table === "ip6" ? 6 : 4);
  const list: Expression[] = [];
  const load = (field: Field): void => {
    for (const { field: loaded, family: own, base, key, length } of LOADS) {
      if (loaded !== field || (own !== undefined && own !== family)) continue;
      if (base === undefined) list.push({ name: "meta", key, register: REGISTER });
      else list.push({ name: "payload", register: REGISTER, base, offset: key, length });
    }
  };
  const match = (field: Field, value: Uint8Array, operator: number = comparison.equal): void => {
    load(field);
    list.push({ name: "cmp", register: REGISTER, operator, value });
  };
  const address = (field: "source" | "destination", wanted: AddressMatch | undefined): void => {
    if (wanted === undefined || (wanted.prefix.length === 0 && !wanted.inverted)) return;
    const host = BigInt(bits(family) - wanted.prefix.length);
    const operator = wanted.inverted ? comparison.notEqual : comparison.equal;
    match(field, ipToBytes(wanted.prefix.address), operator);
    if (host === 0n) return;
    const mask = ipToBytes({ family, value: ((1n << BigInt(bits(family))) - 1n) ^ ((1n << host) - 1n) });
    const xor = new Uint8Array(mask.length);
    list.splice(-1, 0, { name: "bitwise", source: REGISTER, target: REGISTER, mask, xor });
  };
  if (table === "inet" && (source ?? destination) !== undefined)
    match("family", Uint8Array.of(NFPROTO[family]));
  // iptables-nft compares the name with its NUL, nft the whole field.
  const named = (name: string): Uint8Array =>
    ofIptables ? new TextEncoder().encode(`${name}\0`) : fixed(name, IFNAMSIZ);
  if (input !== undefined) match("input", named(input));
  if (output !== undefined)
    match("output", named(output.name), output.inverted ? comparison.notEqual : comparison.equal);
  if (mac !== undefined) match("mac", mac);
  if (sourceSet !== undefined) {
    load("source");
    list.push({ name: "lookup", set: sourceSet, register: REGISTER, ...(setId !== undefined && { setId }) });
  }
  address("source", source);
  address("destination", destination);
  if (states !== undefined)
    list.push(extension("match", "conntrack", conntrackStates(states), CONNTRACK_REVISION));
  // sizeof(struct xt_comment_info); the text ends with a NUL.
  if (comment !== undefined) list.push(extension("match", "comment", fixed(comment, 256)));
  if (ofIptables) list.push({ name: "counter", packets: 0n, bytes: 0n });
  if (verdict === "masquerade" && ofIptables) {
    // struct nf_nat_ipv4_multi_range_compat, which begins with a count of ranges, or nf_nat_range, padded to 8 bytes.
    const range = new Uint8Array(family === 4 ? 24 : 40);
    if (family === 4) range[0] = 1;
    list.push(extension("target", "MASQUERADE", range));
  } else if (verdict === "masquerade") list.push({ name: "masq" });
  else if (verdict !== "continue") {
    const data = target === undefined ? { verdict } : { verdict, chain: target };
    list.push({ name: "immediate", register: 0, data });
  }
  return list;
}

function extension(name: "match" | "target", extension: string, info: Uint8Array, revision = 0): Expression {
  return { name, extension, revision, info };
}

/** A text in a field of that size, followed by at least one NUL. */
function fixed(text: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new TextEncoder().encodeInto(text, bytes.subarray(0, size - 1));
  return bytes;
}

/** The content of a register while a rule is read. */
interface Loaded {
  readonly field?: Field | undefined;
  readonly length: number;
  readonly mask?: Uint8Array;
}

/** The rule that was read from expressions. */
export interface Read {
  readonly rule: Rule;
  /** Whether the expressions do nothing else. */
  readonly isWhole: boolean;
}

/** Reads the rule that `expressions` form in a table of that family. */
export function readRule(expressions: readonly Expression[], table: TableFamily): Read {
  const rule: { -readonly [K in keyof Rule]: Rule[K] } = { verdict: "continue" };
  const registers: Loaded[] = [];
  // In a table of both families, the rule itself contains the family.
  let family: Family | undefined = table === "ip" ? 4 : table === "ip6" ? 6 : undefined;
  /** Adds an expression to the rule; false if a Rule cannot express it. */
  const take = (expression: Expression): boolean => {
    const isLast = rule.verdict === "continue";
    switch (expression.name) {
      case "counter":
        return isLast;
      case "meta":
      case "payload": {
        const { base, offset, length } =
          expression.name === "payload" ? expression : { base: undefined, offset: expression.key, length: 0 };
        const row = LOADS.find(
          (each) =>
            each.base === base &&
            each.key === offset &&
            length <= each.length &&
            (each.family ?? family) === family,
        );
        registers[expression.register] = { field: row?.field, length: length || (row?.length ?? 0) };
        return isLast && row !== undefined;
      }
      case "bitwise": {
        const { source, target, mask, xor } = expression;
        const { field, length } = registers[source] ?? { length: 0 };
        registers[target] = { field, length, mask };
        return isLast && (field === "source" || field === "destination") && xor.every((byte) => byte === 0);
      }
      case "cmp":
        return compare(expression) && isLast;
      case "lookup":
        rule.sourceSet = expression.set;
        if (expression.inverted || expression.target !== undefined) return false;
        return isLast && registers[expression.register]?.field === "source";
      case "match":
        if (expression.extension === "conntrack" && expression.revision === CONNTRACK_REVISION) {
          const isFirst = rule.states === undefined;
          const states = statesIn(expression.info);
          if (states !== undefined) rule.states = states;
          return isFirst && isLast && states !== undefined;
        }
        if (expression.extension !== "comment") return false;
        rule.comment = cString(expression.info);
        return isLast;
      case "masq":
        rule.verdict = "masquerade";
        // Flags make it choose ports differently.
        return isLast && !expression.flags;
      case "target": {
        rule.verdict = "masquerade";
        const { extension, info } = expression;
        return (
          isLast && extension === "MASQUERADE" && family !== undefined && isPlainMasquerade(info, family)
        );
      }
      case "immediate": {
        const { data } = expression;
        if (data.verdict === undefined) return false;
        if (data.chain !== undefined) rule.target ??= data.chain;
        if (data.verdict === "break") return false;
        rule.verdict = data.verdict;
        return isLast;
      }
      default:
        return false;
    }
  };
  const compare = ({ register, operator, value }: Extract<Expression, { name: "cmp" }>): boolean => {
    const loaded = registers[register];
    const field = loaded?.field;
    if (loaded === undefined || field === undefined) return false;
    if (field === "source" || field === "destination") {
      const isFirst = rule[field] === undefined;
      const found = family && addressMatch(loaded, operator, value, family);
      if (found !== undefined) rule[field] = found;
      return isFirst && found !== undefined;
    }
    const isEqual = operator === comparison.equal;
    if (field === "family") {
      const found = value[0] === NFPROTO[4] ? 4 : value[0] === NFPROTO[6] ? 6 : undefined;
      family ??= found;
      return isEqual && found !== undefined && found === family && value.length === loaded.length;
    }
    const isFirst = rule[field] === undefined;
    if (field === "mac") {
      rule.mac ??= value;
      return isFirst && isEqual && value.length === loaded.length;
    }
    const name = cString(value);
    if (field === "input") rule.input ??= name;
    else rule.output ??= { name, inverted: !isEqual };
    const isKnown = isEqual || (field === "output" && operator === comparison.notEqual);
    // Without a NUL it is the beginning of a name.
    return isFirst && isKnown && value[value.length - 1] === 0;
  };
  let isWhole = true;
  for (const expression of expressions) isWhole = take(expression) && isWhole;
  return { rule, isWhole };
}

/** A prefix of whole bytes may be compared by loading only these bytes; any other prefix needs a mask. */
function addressMatch({ length, mask }: Loaded, operator: number, value: Uint8Array, family: Family) {
  const whole = new Uint8Array(bits(family) / 8);
  whole.set(value.subarray(0, whole.length));
  const address = ipFromBytes(whole);
  const ones = mask === undefined ? length * 8 : prefixLength(mask);
  const isKnown = operator === comparison.equal || operator === comparison.notEqual;
  if (!isKnown || address === undefined || ones === undefined) return undefined;
  return { prefix: { address, length: ones }, inverted: operator === comparison.notEqual };
}
