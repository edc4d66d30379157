/**
 * Writes rules as expressions of nf_tables; read-rule.ts reads them. They are written in a form that every version of
 * iptables-nft reads: the whole address is loaded and masked, and ports and marks are compared by iptables' extensions.
 */
import { bits, ipToBytes } from "../../net/ip.ts";
import { comparison, type Expression, fib } from "../../netlink/nftables/expression.ts";
import type { TableFamily } from "../../netlink/nftables/header.ts";
import { fixed, matchesOf, targetOf } from "../extensions.ts";
import { type AddressMatch, connectionState, PROTOCOLS, type Rule } from "../rule.ts";
import {
  DNAT,
  DST_NAT,
  type Field,
  IFNAMSIZ,
  LOADS,
  LOCAL,
  NFPROTO,
  PORT_REGISTER,
  REGISTER,
} from "./fields.ts";

/** How a rule is written. */
export interface Style {
  /** As nft writes it. Without this, rules of ip and ip6 are written as iptables-nft writes them. */
  readonly isNative?: boolean;
  /** Number of the set that the same transaction adds. */
  readonly setId?: number;
}

/**
 * The expressions of a rule in a table of that family. Those of iptables have its order and its extensions: protocol,
 * addresses, matches, counter, target. In inet they begin with the family, as with nft.
 */
export function encodeRule(rule: Rule, table: TableFamily, { isNative, setId }: Style = {}): Expression[] {
  const { source, destination, input, output, protocol, mac, sourceSet, states, verdict, target, port, to } =
    rule;
  const ofIptables = isNative !== true && (table === "ip" || table === "ip6");
  const family = (source ?? destination)?.prefix.address.family ?? (table === "ip6" ? 6 : 4);
  const list: Expression[] = [];
  const load = (field: Field): void => {
    for (const { field: loaded, family: own, base, key, length } of LOADS) {
      if (loaded !== field || (own !== undefined && own !== family)) continue;
      if (base === undefined) list.push({ name: "meta", key, register: REGISTER });
      else if (base === "ct") list.push({ name: "ct", key, register: REGISTER });
      else if (base === "fib")
        list.push({ name: "fib", flags: fib.ofDestination, result: key, register: REGISTER });
      else list.push({ name: "payload", register: REGISTER, base, offset: key, length });
    }
  };
  const match = (field: Field, value: Uint8Array, operator: number = comparison.equal): void => {
    load(field);
    list.push({ name: "cmp", register: REGISTER, operator, value });
  };
  /** Puts a mask in front of the last comparison. */
  const masked = (mask: Uint8Array): void => {
    const xor = new Uint8Array(mask.length);
    list.splice(-1, 0, { name: "bitwise", source: REGISTER, target: REGISTER, mask, xor });
  };
  const address = (field: "source" | "destination", wanted: AddressMatch | undefined): void => {
    if (wanted === undefined || (wanted.prefix.length === 0 && !wanted.inverted)) return;
    const host = BigInt(bits(family) - wanted.prefix.length);
    const operator = wanted.inverted ? comparison.notEqual : comparison.equal;
    match(field, ipToBytes(wanted.prefix.address), operator);
    if (host === 0n) return;
    masked(ipToBytes({ family, value: ((1n << BigInt(bits(family))) - 1n) ^ ((1n << host) - 1n) }));
  };
  if (table === "inet" && (source ?? destination) !== undefined)
    match("family", Uint8Array.of(NFPROTO[family]));
  if (ofIptables && protocol !== undefined) match("protocol", Uint8Array.of(PROTOCOLS[protocol]));
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
  if (ofIptables) {
    for (const each of matchesOf(rule)) list.push({ name: "match", ...each });
    list.push({ name: "counter", packets: 0n, bytes: 0n });
    const extension = targetOf(rule, family);
    if (extension !== undefined) {
      list.push({ name: "target", ...extension });
      return list;
    }
  } else {
    // nft has no words of its own for the other states, nor for iptables' comment.
    const isOnlyDnat = states === connectionState.dnat;
    const foreign = {
      comment: rule.comment,
      verdict,
      ...(!isOnlyDnat && states !== undefined && { states }),
    };
    for (const each of matchesOf(foreign)) list.push({ name: "match", ...each });
    if (rule.isLocal) match("isLocal", LOCAL);
    if (protocol !== undefined) match("protocol", Uint8Array.of(PROTOCOLS[protocol]));
    if (port !== undefined) match("port", Uint8Array.of(port >>> 8, port));
    if (isOnlyDnat) {
      match("states", new Uint8Array(4), comparison.notEqual);
      masked(DST_NAT);
    }
  }
  if (verdict === "masquerade") list.push({ name: "masq" });
  else if (verdict === "dnat" && to !== undefined) {
    list.push({ name: "immediate", register: REGISTER, data: { value: ipToBytes(to.address) } });
    list.push({
      name: "immediate",
      register: PORT_REGISTER,
      data: { value: Uint8Array.of(to.port >>> 8, to.port) },
    });
    list.push({
      name: "nat",
      type: DNAT,
      family: NFPROTO[to.address.family],
      address: REGISTER,
      port: PORT_REGISTER,
    });
  } else if (verdict !== "continue" && verdict !== "dnat" && verdict !== "mark") {
    const data = target === undefined ? { verdict } : { verdict, chain: target };
    list.push({ name: "immediate", register: 0, data });
  }
  return list;
}
