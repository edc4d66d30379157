/** Reads the firewall's own table (rules F20, F30). */
import { sameBytes } from "#engine";
import { FAMILIES, formatIp, type IpAddress, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import type { Chain } from "../../netlink/nftables/chain.ts";
import { decodeSomeElements, type Element, getElements } from "../../netlink/nftables/element.ts";
import { decodeRuleBody, dumpRules } from "../../netlink/nftables/rule.ts";
import type { NewSet } from "../../netlink/nftables/set.ts";
import { commentOf, textOf } from "../../netlink/nftables/userdata.ts";
import { sift } from "../../netlink/sieve.ts";
import { markOf } from "../attachment-names.ts";
import { findChains, getEach } from "../kernel.ts";
import { datumType } from "../nftables/base-chains.ts";
import { having, type RuleSieve } from "../nftables/found-rules.ts";
import { isMarked } from "../nftables/own-tables.ts";
import { type Ingress, type IngressPolicy, parseRecord } from "./layout.ts";
import {
  ADDRESSES,
  BRIDGES,
  ENTRY,
  entryRules,
  ISOLATION,
  ISOLATION_RULES,
  type OwnRule,
  PUBLISHED,
  TABLE,
  WITHIN,
} from "./own-table.ts";
import type { Bridges } from "./plan.ts";

/** An address of the table. */
export interface Recorded {
  readonly address: IpAddress;
  /** The mark of its attachment. */
  readonly mark: string;
  readonly ingress: Ingress | undefined;
}

/** The expressions of a rule. */
export type NftExpressions = ReturnType<typeof decodeRuleBody>["expressions"];

/** The table as far as it exists. */
export interface TableState {
  readonly entry: Chain | undefined;
  readonly isolation: Chain | undefined;
  /** The rules of the entry, and the chains of administrators that they lead to. */
  readonly rules: readonly NftExpressions[];
  readonly adminChains: readonly string[];
  /** The policies of bridges, and what of each the sets have: another program may have flushed one. */
  readonly policies: ReadonlyMap<string, IngressPolicy>;
  readonly bridges: ReadonlySet<string>;
  readonly within: ReadonlySet<string>;
}

const IFNAMSIZ = 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An interface's name as the key of an element. */
export function nameKey(name: string): Uint8Array {
  const key = new Uint8Array(IFNAMSIZ);
  encoder.encodeInto(name, key);
  return key;
}

const nameIn = (key: Uint8Array): string => {
  const end = key.indexOf(0);
  return decoder.decode(key.slice(0, end < 0 || end > IFNAMSIZ ? IFNAMSIZ : end));
};

/** The elements of a set that a sieve selects, or all; none if it does not exist. */
function elementsOf(connection: Connection, set: NewSet, sieve: () => RuleSieve = having([])): Element[] {
  try {
    return sift(connection, getElements(set), () => {
      const { datagram, message: isWanted } = sieve();
      return { mayHold: datagram, keep: (message) => decodeSomeElements(message, isWanted) };
    }).flat();
  } catch (error) {
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * The recorded addresses of all attachments, or those whose elements a sieve selects: of a node's thousands a call needs few.
 * @throws NetlinkError
 */
export function recordedIn(connection: Connection, sieve?: () => RuleSieve): Recorded[] {
  const recorded: Recorded[] = [];
  for (const family of FAMILIES) {
    for (const { key, userData } of elementsOf(connection, ADDRESSES[family], sieve)) {
      const address = ipFromBytes(key);
      const mark = markOf(commentOf(userData) ?? "");
      if (address !== undefined)
        recorded.push({ address, mark, ingress: parseRecord(textOf(userData, datumType.ingress)) });
    }
  }
  return recorded;
}

/** Those of the addresses whose published ports are accepted, as texts. @throws NetlinkError */
export function publishedAmong(connection: Connection, addresses: readonly IpAddress[]): ReadonlySet<string> {
  const isThere = (address: IpAddress): boolean => {
    const [set, key] = [PUBLISHED[address.family], ipToBytes(address)];
    try {
      return getEach(connection, [getElements(set, [{ key }])])[0] !== undefined;
    } catch (error) {
      // Before 4.15 the kernel only lists all elements.
      if (!refusedWith(error, "EOPNOTSUPP")) throw error;
      return elementsOf(connection, set, having([key])).some((each) => sameBytes(each.key, key));
    }
  };
  return new Set(addresses.filter(isThere).map(formatIp));
}

/** Reads the table without the addresses; nothing of it need exist. @throws NetlinkError */
export function readState(connection: Connection): TableState {
  const [entry, isolation] = findChains(connection, [ENTRY, ISOLATION]);
  const policies = new Map<string, IngressPolicy>();
  const bridges = new Set<string>();
  const within = new Set<string>();
  if (entry === undefined && isolation === undefined)
    return { entry, isolation, rules: [], adminChains: [], policies, bridges, within };
  const rules = rulesOf(connection, ENTRY.chain);
  const adminChains = rules.flatMap((expressions) => {
    const [first] = expressions;
    const target = first?.name === "immediate" ? first.data.chain : undefined;
    return target === undefined || target === ISOLATION.chain ? [] : target;
  });
  for (const { key } of elementsOf(connection, BRIDGES)) bridges.add(nameIn(key));
  for (const bridge of bridges) policies.set(bridge, "same-bridge");
  for (const { key, data } of elementsOf(connection, WITHIN)) {
    const bridge = nameIn(key);
    within.add(bridge);
    policies.set(bridge, data?.verdict === "drop" ? "isolated" : "same-bridge");
  }
  return { entry, isolation, rules, adminChains, policies, bridges, within };
}

/** Whether nft has saved and loaded the table, which keeps comments, but no marks and records of ours. */
export const wasLoaded = ({ entry }: TableState): boolean => entry !== undefined && !isMarked(entry);

/** Whether an attachment is on a bridge. In a table that was loaded, each one without a record that may be there counts. */
export const isOn = (
  { ingress, address }: Recorded,
  bridge: string,
  isLoaded: boolean,
  bridges: Bridges,
): boolean =>
  ingress === undefined ? isLoaded && bridges.mayHold(bridge, address) : ingress.bridge === bridge;

/** Whether ADD finds the table complete. Of the isolation the number of rules is enough here; CHECK compares them. */
export const isWhole = (
  { isolation, rules }: TableState,
  adminChains: readonly string[],
  accepts: boolean,
): boolean =>
  // The rule of the entry that leads there counts too.
  isolation?.use === ISOLATION_RULES.length + 1 && areRules(rules, entryRules(adminChains, accepts));

/** The rules of a chain, none if it does not exist. */
export function rulesOf(connection: Connection, chain: string): NftExpressions[] {
  try {
    return connection.dump(dumpRules({ ...TABLE, chain }), (message) => decodeRuleBody(message).expressions);
  } catch (error) {
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}

/** Whether rules are exactly the wanted ones. */
export const areRules = (found: readonly NftExpressions[], wanted: readonly OwnRule[]): boolean =>
  found.length === wanted.length &&
  found.every((expressions, index) => isEqual(expressions, wanted[index]?.expressions));

/** Whether the kernel has what was written. It adds defaults, such as empty flags. */
function isEqual(found: unknown, written: unknown): boolean {
  if (written instanceof Uint8Array) return found instanceof Uint8Array && sameBytes(found, written);
  if (Array.isArray(written))
    return (
      Array.isArray(found) &&
      found.length === written.length &&
      written.every((each, index) => isEqual(found[index], each))
    );
  if (typeof written !== "object" || written === null) return found === written;
  if (typeof found !== "object" || found === null) return false;
  const names = new Set([...Object.keys(found), ...Object.keys(written)]);
  const [have, want] = [found, written] as Readonly<Record<string, unknown>>[];
  return [...names].every((name) =>
    want?.[name] === undefined ? !have?.[name] : isEqual(have?.[name], want[name]),
  );
}
