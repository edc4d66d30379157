/** Reads rules from expressions of nf_tables, in every form that nft and iptables-nft write. */
import { bits, type Family, ipFromBytes } from "../../net/ip.ts";
import { comparison, type Expression, fib } from "../../netlink/nftables/expression.ts";
import type { TableFamily } from "../../netlink/nftables/header.ts";
import { cString, prefixLength, protocolOf, readMatch, readTarget } from "../extensions.ts";
import { connectionState, type Rule } from "../rule.ts";
import { DNAT, DST_NAT, type Field, LOADS, LOCAL, NFPROTO } from "./fields.ts";

/** The content of a register while a rule is read. */
interface Loaded {
  readonly field?: Field | undefined;
  readonly length: number;
  readonly mask?: Uint8Array;
  /** A constant. */
  readonly value?: Uint8Array;
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
      case "ct":
      case "fib":
      case "payload": {
        const { base, offset, length } =
          expression.name === "payload"
            ? expression
            : expression.name === "fib"
              ? { base: "fib" as const, offset: expression.result, length: 0 }
              : {
                  base: expression.name === "ct" ? ("ct" as const) : undefined,
                  offset: expression.key,
                  length: 0,
                };
        const row = LOADS.find(
          (each) =>
            each.base === base &&
            each.key === offset &&
            length <= each.length &&
            (each.family ?? family) === family,
        );
        registers[expression.register] = { field: row?.field, length: length || (row?.length ?? 0) };
        if (expression.name === "fib" && expression.flags !== fib.ofDestination) return false;
        return isLast && row !== undefined;
      }
      case "bitwise": {
        const { source, target, mask, xor } = expression;
        const { field, length } = registers[source] ?? { length: 0 };
        registers[target] = { field, length, mask };
        return isLast && field !== undefined && MASKED.includes(field) && xor.every((byte) => byte === 0);
      }
      case "cmp":
        return compare(expression) && isLast;
      case "lookup":
        rule.sourceSet = expression.set;
        if (expression.inverted || expression.target !== undefined) return false;
        return isLast && registers[expression.register]?.field === "source";
      case "match":
        return readMatch(expression, rule) && isLast;
      case "masq":
        rule.verdict = "masquerade";
        // Flags make it choose ports differently.
        return isLast && !expression.flags;
      case "nat":
        return translate(expression) && isLast;
      case "target":
        return family !== undefined && readTarget(expression, rule, family) && isLast;
      case "immediate": {
        const { register, data } = expression;
        if (data.value !== undefined) {
          registers[register] = { length: data.value.length, value: data.value };
          return isLast;
        }
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
    const isEqual = operator === comparison.equal && value.length === loaded.length;
    const isFirst = field === "family" || rule[field] === undefined;
    switch (field) {
      case "family": {
        const found = value[0] === NFPROTO[4] ? 4 : value[0] === NFPROTO[6] ? 6 : undefined;
        family ??= found;
        return isEqual && found !== undefined && found === family;
      }
      case "input":
      case "output": {
        const name = cString(value);
        const isOther = operator === comparison.notEqual;
        if (field === "input") rule.input ??= name;
        else rule.output ??= { name, inverted: isOther };
        const isKnown = operator === comparison.equal || (field === "output" && isOther);
        // Without a NUL it is the beginning of a name.
        return isFirst && isKnown && value[value.length - 1] === 0;
      }
      case "mac":
        rule.mac ??= value;
        break;
      case "protocol": {
        const protocol = protocolOf(value[0]);
        // A match of a port has named it already.
        const isOther = rule.protocol !== undefined && rule.protocol !== protocol;
        if (protocol !== undefined) rule.protocol ??= protocol;
        return isEqual && protocol !== undefined && !isOther;
      }
      case "port":
        rule.port ??= ((value[0] ?? 0) << 8) | (value[1] ?? 0);
        break;
      case "packetMark": {
        const bit = word(value);
        rule.packetMark ??= bit;
        return isEqual && isFirst && loaded.mask !== undefined && word(loaded.mask) === bit;
      }
      case "isLocal":
        if (!isEqual || word(value) !== word(LOCAL)) return false;
        rule.isLocal = true;
        break;
      case "states": {
        const isBit = loaded.mask !== undefined && word(loaded.mask) === word(DST_NAT);
        const isSet =
          (operator === comparison.notEqual && word(value) === 0) ||
          (operator === comparison.equal && word(value) === word(DST_NAT));
        if (!isBit || !isSet) return false;
        rule.states = connectionState.dnat;
        return isFirst;
      }
    }
    return isEqual && isFirst;
  };
  const translate = (nat: Extract<Expression, { name: "nat" }>): boolean => {
    const { type, address, lastAddress = address, port, lastPort = port } = nat;
    const to = registers[address ?? 0]?.value;
    const number = registers[port ?? 0]?.value;
    const found = to && ipFromBytes(to);
    if (type !== DNAT || found === undefined || number === undefined) return false;
    rule.verdict = "dnat";
    rule.to = { address: found, port: ((number[0] ?? 0) << 8) | (number[1] ?? 0) };
    return lastAddress === address && lastPort === port;
  };
  let isWhole = true;
  for (const expression of expressions) isWhole = take(expression) && isWhole;
  return { rule, isWhole };
}

/** Fields that are compared under a mask. */
const MASKED: readonly Field[] = ["source", "destination", "packetMark", "states"];

/** Four bytes as a number in host order. */
const word = (bytes: Uint8Array): number =>
  ((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0;

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
