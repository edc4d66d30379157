/** Reads the firewall's own table (rules F20, F30). */
import { sameBytes } from "#engine";
import { FAMILIES, formatIp, type IpAddress, ipFromBytes } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import type { Chain } from "../../netlink/nftables/chain.ts";
import { decodeElements, type Element, getElements } from "../../netlink/nftables/element.ts";
import { decodeRule, dumpRules } from "../../netlink/nftables/rule.ts";
import type { NewSet } from "../../netlink/nftables/set.ts";
import { commentOf, textOf } from "../../netlink/nftables/userdata.ts";
import { markOf } from "../attachment-names.ts";
import { findChains } from "../kernel.ts";
import { datumType } from "../nftables/base-chains.ts";
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

/** An address of the table. */
export interface Recorded {
  readonly address: IpAddress;
  /** The mark of its attachment. */
  readonly mark: string;
  readonly ingress: Ingress | undefined;
}

/** The expressions of a rule. */
export type NftExpressions = ReturnType<typeof decodeRule>["expressions"];

/** The table as far as it exists. */
export interface TableState {
  readonly entry: Chain | undefined;
  readonly isolation: Chain | undefined;
  /** The rules of the entry, and the chains of administrators that they lead to. */
  readonly rules: readonly NftExpressions[];
  readonly adminChains: readonly string[];
  readonly recorded: readonly Recorded[];
  /** By family, as texts. */
  readonly published: ReadonlySet<string>;
  /** The policies of bridges. */
  readonly policies: ReadonlyMap<string, IngressPolicy>;
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

/** All elements of a set, none if it does not exist. */
function elementsOf(connection: Connection, set: NewSet): Element[] {
  try {
    const lists = connection.dump(getElements(set), decodeElements);
    return lists.flat();
  } catch (error) {
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}

/** The recorded addresses of all attachments. @throws NetlinkError */
export function recordedIn(connection: Connection): Recorded[] {
  const recorded: Recorded[] = [];
  for (const family of FAMILIES) {
    for (const { key, userData } of elementsOf(connection, ADDRESSES[family])) {
      const address = ipFromBytes(key);
      const mark = markOf(commentOf(userData) ?? "");
      if (address !== undefined)
        recorded.push({ address, mark, ingress: parseRecord(textOf(userData, datumType.ingress)) });
    }
  }
  return recorded;
}

/** Reads the table; nothing of it need exist. @throws NetlinkError */
export function readState(connection: Connection): TableState {
  const [entry, isolation] = findChains(connection, [ENTRY, ISOLATION]);
  const policies = new Map<string, IngressPolicy>();
  const published = new Set<string>();
  if (entry === undefined && isolation === undefined)
    return { entry, isolation, rules: [], adminChains: [], recorded: [], published, policies };
  const rules = rulesOf(connection, ENTRY.chain);
  const adminChains = rules.flatMap((expressions) => {
    const [first] = expressions;
    const target = first?.name === "immediate" ? first.data.chain : undefined;
    return target === undefined || target === ISOLATION.chain ? [] : target;
  });
  for (const { key } of elementsOf(connection, BRIDGES)) policies.set(nameIn(key), "same-bridge");
  for (const { key, data } of elementsOf(connection, WITHIN))
    if (data?.verdict === "drop") policies.set(nameIn(key), "isolated");
  for (const family of FAMILIES) {
    for (const { key } of elementsOf(connection, PUBLISHED[family])) {
      const address = ipFromBytes(key);
      if (address !== undefined) published.add(formatIp(address));
    }
  }
  return { entry, isolation, rules, adminChains, recorded: recordedIn(connection), published, policies };
}

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
    return connection.dump(dumpRules({ ...TABLE, chain }), (message) => decodeRule(message).expressions);
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
