/**
 * Address rules as expressions of nf_tables, both ways. Written in the widest form: a whole address is loaded and
 * masked, which iptables-nft of every version reads; read in any form that nft and iptables-nft write.
 */
import { bits, type Family, ipFromBytes, ipToBytes } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";
import { comparison } from "../netlink/nftables/expression/compare.ts";
import type { Expression } from "../netlink/nftables/expression/expression.ts";
import { metaKey } from "../netlink/nftables/expression/meta.ts";
import { payloadBase } from "../netlink/nftables/expression/payload.ts";
import type { Action, AddressMatch, AddressRule } from "./address-rule.ts";

/** Offsets of the addresses in struct iphdr and struct ipv6hdr. */
const OFFSETS = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;
const REGISTER = 1;
/** NFPROTO_IPV4 and NFPROTO_IPV6: what `meta nfproto` gives. */
const NFPROTO = { 4: 2, 6: 10 } as const;

const bytesOf = (prefix: Prefix): Uint8Array => ipToBytes(prefix.address);

/** Ones for the network's bits, zeros for the host's. */
function maskOf({ address: { family }, length }: Prefix): Uint8Array {
  const width = BigInt(bits(family));
  const host = (1n << (width - BigInt(length))) - 1n;
  return ipToBytes({ family, value: ((1n << width) - 1n) ^ host });
}

/** Goes on only with packets of a family: what nft writes in front of addresses in an inet table. */
export const ofFamily = (family: Family): Expression[] => [
  { name: "meta", key: metaKey.nfproto, register: REGISTER },
  { name: "cmp", register: REGISTER, operator: comparison.equal, value: Uint8Array.of(NFPROTO[family]) },
];

/** Loads the source or destination address. */
export const loadAddress = (family: Family, which: "source" | "destination"): Expression => ({
  name: "payload",
  register: REGISTER,
  base: payloadBase.network,
  offset: OFFSETS[family][which],
  length: bits(family) / 8,
});

/** Goes on only with packets whose address matches. */
export function matchAddress(which: "source" | "destination", match: AddressMatch): Expression[] {
  const { prefix, inverted } = match;
  const { family } = prefix.address;
  const mask = maskOf(prefix);
  const whole = prefix.length === bits(family);
  return [
    loadAddress(family, which),
    ...(whole
      ? []
      : [
          {
            name: "bitwise",
            source: REGISTER,
            target: REGISTER,
            mask,
            xor: new Uint8Array(mask.length),
          } as const,
        ]),
    {
      name: "cmp",
      register: REGISTER,
      operator: inverted ? comparison.notEqual : comparison.equal,
      value: bytesOf(prefix),
    },
  ];
}

/** Goes on only with packets whose source is in the set. */
export const matchSourceSet = (family: Family, set: string, setId: number): Expression[] => [
  loadAddress(family, "source"),
  { name: "lookup", set, register: REGISTER, setId },
];

/** Ends with a verdict. */
export const verdict = (action: Exclude<Action, "masquerade" | "continue">): Expression => {
  const data =
    typeof action === "string"
      ? { verdict: action }
      : "jump" in action
        ? ({ verdict: "jump", chain: action.jump } as const)
        : ({ verdict: "goto", chain: action.goto } as const);
  return { name: "immediate", register: 0, data };
};

/** What a register holds while a rule is read. */
type Loaded = { kind: "nfproto" } | { kind: "source" | "destination"; length: number; mask?: Uint8Array };

/**
 * The rule that `expressions` make, or undefined if they do anything that an AddressRule cannot say.
 * @param tableFamily of an ip or ip6 table; undefined for inet, where the rule itself says it.
 */
export function readAddressRule(
  expressions: readonly Expression[],
  tableFamily: Family | undefined,
): AddressRule | undefined {
  const rule: { -readonly [K in keyof AddressRule]: AddressRule[K] } = { action: "continue" };
  const registers = new Map<number, Loaded>();
  let family = tableFamily;
  for (const expression of expressions) {
    if (rule.action !== "continue") return undefined;
    switch (expression.name) {
      case "counter":
        break;
      case "meta":
        if (expression.key !== metaKey.nfproto) return undefined;
        registers.set(expression.register, { kind: "nfproto" });
        break;
      case "payload": {
        const loaded = family === undefined ? undefined : loadedBy(expression, family);
        if (loaded === undefined) return undefined;
        registers.set(expression.register, loaded);
        break;
      }
      case "bitwise": {
        const loaded = registers.get(expression.source);
        if (loaded === undefined || loaded.kind === "nfproto" || expression.xor.some((byte) => byte !== 0))
          return undefined;
        registers.set(expression.target, { ...loaded, mask: expression.mask });
        break;
      }
      case "cmp": {
        const loaded = registers.get(expression.register);
        if (loaded?.kind === "nfproto") {
          const found = expression.operator === comparison.equal && familyOf(expression.value);
          if (!found || (family !== undefined && family !== found)) return undefined;
          family = found;
          break;
        }
        const match = loaded && family && matchOf(loaded, expression.operator, expression.value, family);
        if (!match || rule[loaded.kind] !== undefined) return undefined;
        rule[loaded.kind] = match;
        break;
      }
      case "lookup":
        if (registers.get(expression.register)?.kind !== "source" || expression.inverted || expression.target)
          return undefined;
        rule.sourceSet = expression.set;
        break;
      case "match":
        if (expression.extension !== "comment") return undefined;
        rule.comment = cString(expression.info);
        break;
      case "masq":
        // With flags it chooses ports in another way than asked for.
        if (expression.flags) return undefined;
        rule.action = "masquerade";
        break;
      case "target":
        if (expression.extension !== "MASQUERADE" || family === undefined) return undefined;
        if (!isPlainMasquerade(expression.info, family)) return undefined;
        rule.action = "masquerade";
        break;
      case "immediate": {
        const action = actionOf(expression.data);
        if (action === undefined) return undefined;
        rule.action = action;
        break;
      }
      default:
        return undefined;
    }
  }
  return rule;
}

/**
 * Whether the data of iptables' MASQUERADE asks for nothing special: no range of ports, no random ones. IPv4's
 * (struct nf_nat_ipv4_multi_range_compat) begins with the number of ranges, IPv6's (struct nf_nat_range) is one range.
 */
export const isPlainMasquerade = (info: Uint8Array, family: Family): boolean =>
  info.every((byte, index) => byte === (family === 4 && index === 0 ? 1 : 0));

function loadedBy(payload: Extract<Expression, { name: "payload" }>, family: Family): Loaded | undefined {
  const { base, offset, length } = payload;
  if (base !== payloadBase.network || length > bits(family) / 8) return undefined;
  if (offset === OFFSETS[family].source) return { kind: "source", length };
  if (offset === OFFSETS[family].destination) return { kind: "destination", length };
  return undefined;
}

const familyOf = (value: Uint8Array): Family | undefined =>
  value[0] === NFPROTO[4] ? 4 : value[0] === NFPROTO[6] ? 6 : undefined;

/** A prefix of whole bytes may be compared by these bytes alone, any other one through a mask. */
function matchOf(
  loaded: { length: number; mask?: Uint8Array },
  operator: number,
  value: Uint8Array,
  family: Family,
): AddressMatch | undefined {
  if (operator !== comparison.equal && operator !== comparison.notEqual) return undefined;
  const size = bits(family) / 8;
  const whole = new Uint8Array(size);
  whole.set(value.subarray(0, size));
  const address = ipFromBytes(whole);
  const length = loaded.mask === undefined ? loaded.length * 8 : prefixLength(loaded.mask);
  if (address === undefined || length === undefined) return undefined;
  return { prefix: { address, length }, inverted: operator === comparison.notEqual };
}

/** Number of leading ones, if only zeros follow. */
export function prefixLength(mask: Uint8Array): number | undefined {
  const text = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(text) ? text.lastIndexOf("1") + 1 : undefined;
}

function actionOf(data: Extract<Expression, { name: "immediate" }>["data"]): Action | undefined {
  if ("value" in data) return undefined;
  const { verdict, chain } = data;
  if (verdict === "accept" || verdict === "return") return verdict;
  if (chain === undefined) return undefined;
  return verdict === "jump" ? { jump: chain } : verdict === "goto" ? { goto: chain } : undefined;
}

/** A text may begin with U+FEFF, which is not a byte order mark there. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Whether a rule leads to a chain, by jump or goto. */
export const leadsTo = ({ expressions }: { expressions: readonly Expression[] }, chain: string): boolean =>
  expressions.some(
    (expression) =>
      expression.name === "immediate" && "chain" in expression.data && expression.data.chain === chain,
  );
