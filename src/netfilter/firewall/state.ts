/**
 * Reads the filter table of one family, in either variant of iptables, as far as the firewall's plans need it. In nf_tables
 * the chain of all containers is not decoded whole: of a node's thousands of rules a call needs a few.
 */

import type { Attachment } from "../../cni/attachment.ts";
import { type Family, type IpAddress, ipToBytes } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Chain } from "../../netlink/nftables/chain.ts";
import { attachmentMark, MARK_LENGTH } from "../attachment-names.ts";
import type { LegacyTable } from "../iptables/legacy-entries.ts";
import { findChains } from "../kernel.ts";
import { datumType, IPTABLES_FORWARD, isHooked } from "../nftables/base-chains.ts";
import { containsAny, having, partBytes, type RuleSieve, rulesIn } from "../nftables/found-rules.ts";
import { isMarked } from "../nftables/own-tables.ts";
import type { FoundRule } from "../rule.ts";
import {
  ADMIN_COMMENT,
  bridgeOf,
  CNI_FORWARD,
  FORWARD,
  POLICIES,
  RECORD,
  STAGE_1,
  STAGE_2,
} from "./layout.ts";

/** A chain of the filter table. */
export interface FilterChain {
  /** In their order; of CNI-FORWARD in nf_tables only those that the call may need. */
  readonly rules: readonly FoundRule[];
  /** Number of all its rules. A rule of another program that leads here counts too. */
  readonly size: number;
  /** Whether it may be deleted when it is empty: x_tables does not tell which program created a chain. */
  readonly isOwn: boolean;
}

export interface FilterState {
  readonly family: Family;
  /** By name; FORWARD is there too, but in nf_tables only once it is needed. */
  readonly chains: ReadonlyMap<string, FilterChain>;
  /** The chains of administrators that the call knows of. */
  readonly adminChains: readonly string[];
  /**
   * The rules of CNI-FORWARD without an owner, and perhaps others. In nf_tables they are read when this is called.
   */
  readonly unmarked: () => readonly FoundRule[];
  /** Its rules that record the bridge of an attachment, likewise; x_tables has none. */
  readonly recorded: () => readonly FoundRule[];
  /** Whether the policy of FORWARD drops packets, and whether FORWARD is the chain of forwarded packets. */
  readonly drops: boolean;
  readonly isHooked: boolean;
}

/** Which rules of CNI-FORWARD a call may need. */
export interface Interest {
  /** All rules of this attachment. */
  readonly attachment: Attachment;
  /** All rules about these addresses. */
  readonly addresses: readonly IpAddress[];
  /** Whether the attachment goes: then a rule of another one is needed for each bridge that has a policy and is still used. */
  readonly isLeaving?: boolean;
}

/** The state of iptables-legacy. */
export function legacyState(
  family: Family,
  { chains, dropping }: LegacyTable,
  known: readonly string[],
): FilterState {
  const found = new Map<string, FilterChain>();
  const all = [...chains.values()].flat();
  for (const [name, rules] of chains) {
    const users = all.filter(({ target }) => target === name).length;
    const known = usersOf(name, chains);
    found.set(name, { rules, size: rules.length + users - known, isOwn: name !== FORWARD });
  }
  const unmarked = () => chains.get(CNI_FORWARD) ?? [];
  const adminChains = [...new Set([...known, ...adminsIn(unmarked())])];
  return {
    family,
    chains: found,
    adminChains,
    unmarked,
    recorded: () => [],
    drops: dropping.has(FORWARD),
    isHooked: true,
  };
}

/** How many rules lead to a chain from where the layout has such rules. */
function usersOf(name: string, chains: ReadonlyMap<string, readonly FoundRule[]>): number {
  const from = name === STAGE_2 ? STAGE_1 : name === CNI_FORWARD || name === STAGE_1 ? FORWARD : CNI_FORWARD;
  return chains.get(from)?.filter(({ target }) => target === name).length ?? 0;
}

/** Begins the datum of an attachment's mark in a rule's bytes: its type and its length, with the final NUL. */
const MARK = Uint8Array.of(datumType.attachment, MARK_LENGTH + 1);

/** The states of iptables-nft; without `interest` with all rules. All chains are found by one request. @throws NetlinkError */
export function nftStates(
  connection: Connection,
  families: readonly Family[],
  adminChains: readonly string[],
  interest?: Interest,
): FilterState[] {
  const names = [FORWARD, CNI_FORWARD, STAGE_1, STAGE_2, ...adminChains];
  const replies = findChains(
    connection,
    families.flatMap((family) => names.map((chain) => ({ ...placeOf(family), chain }))),
  );
  return families.map((family, index) => {
    const found = replies.slice(index * names.length, (index + 1) * names.length);
    return nftState(
      connection,
      family,
      found.flatMap((chain) => chain ?? []),
      adminChains,
      interest,
    );
  });
}

const placeOf = (family: Family) => ({ family: IPTABLES_FORWARD[family].family, table: "filter" });

function nftState(
  connection: Connection,
  family: Family,
  found: readonly Chain[],
  known: readonly string[],
  interest: Interest | undefined,
): FilterState {
  const base = found.find(({ chain }) => chain === FORWARD);
  const there = new Set(found.map(({ chain }) => chain));
  const rules = new Map<string, readonly FoundRule[]>();
  const read = (chain: string, sieve?: () => RuleSieve): void => {
    if (there.has(chain))
      rules.set(chain, rulesIn(connection, { ...placeOf(family), chain }, undefined, sieve));
  };
  read(STAGE_1);
  read(STAGE_2);
  // Only rules that lead to our chains matter, and their order.
  if (there.has(CNI_FORWARD) || there.has(STAGE_1)) read(FORWARD, having([CNI_FORWARD, STAGE_1]));
  const bridges = new Set<string>();
  if (interest?.isLeaving === true)
    for (const rule of [...(rules.get(STAGE_1) ?? []), ...(rules.get(STAGE_2) ?? [])]) {
      const bridge = bridgeOf(rule);
      if (bridge !== undefined) bridges.add(bridge);
    }
  read(CNI_FORWARD, interest && needed(interest, [...bridges]));
  const adminChains = [...new Set([...known, ...adminsIn(rules.get(CNI_FORWARD) ?? [])])];
  const unknown = adminChains.filter((chain) => !known.includes(chain));
  const further = findChains(
    connection,
    unknown.map((chain) => ({ ...placeOf(family), chain })),
  ).flatMap((chain) => chain ?? []);
  const chains = new Map<string, FilterChain>();
  for (const chain of [...found, ...further]) {
    const { chain: name, use = 0 } = chain;
    const own = rules.get(name) ?? [];
    const size = name === FORWARD ? own.length : use - usersOf(name, rules);
    chains.set(name, { rules: own, size, isOwn: isMarked(chain) });
  }
  const drops = base?.base?.policy === 0;
  const all = (sieve: () => RuleSieve) => () =>
    rulesIn(connection, { ...placeOf(family), chain: CNI_FORWARD }, undefined, sieve);
  const unmarked = all(() => ({ datagram: () => true, message: (bytes) => !containsAny(bytes, [MARK]) }));
  const recorded = all(having([RECORD]));
  return {
    family,
    chains,
    adminChains,
    unmarked,
    recorded,
    drops,
    isHooked: isHooked(base, IPTABLES_FORWARD[family]),
  };
}

/** Finds the first record of an attachment for each of some bridges, by the bytes of rules or elements. */
export class FirstRecords {
  /** By the bridges without one yet: the bytes of which each record of theirs has one. */
  private readonly open = new Map<string, readonly Uint8Array[]>();

  constructor(bridges: readonly string[]) {
    for (const bridge of bridges)
      this.open.set(
        bridge,
        POLICIES.map((policy) => partBytes(`${RECORD}${policy} ${bridge} `)),
      );
  }

  /** Whether one that is still wanted may be in a datagram. */
  mayBeIn(bytes: Uint8Array): boolean {
    for (const records of this.open.values()) if (containsAny(bytes, records)) return true;
    return false;
  }

  /** Whether this is the first one of a bridge. */
  take(bytes: Uint8Array): boolean {
    for (const [bridge, records] of this.open)
      if (containsAny(bytes, records)) return this.open.delete(bridge);
    return false;
  }
}

/**
 * Selects the rules that the call may need: those of the interest, those that lead to administrators, and for each of the
 * bridges the first rule of another attachment that records it. Rules that lead to administrators stand together, in front of
 * all others: behind them they are not looked for.
 */
function needed({ attachment, addresses }: Interest, bridges: readonly string[]): () => RuleSieve {
  const mark = partBytes(attachmentMark(attachment));
  const own = [mark, ...addresses.map(ipToBytes)];
  const admin = [partBytes(ADMIN_COMMENT)];
  return () => {
    let hasAdmin = false;
    let wantsAdmin = true;
    const first = new FirstRecords(bridges);
    return {
      datagram: (bytes) => {
        wantsAdmin = !hasAdmin;
        return containsAny(bytes, own) || (wantsAdmin && containsAny(bytes, admin)) || first.mayBeIn(bytes);
      },
      message: (bytes) => {
        if (containsAny(bytes, own)) return true;
        if (wantsAdmin && containsAny(bytes, admin)) {
          hasAdmin = true;
          return true;
        }
        return first.take(bytes);
      },
    };
  };
}

/** The chains of administrators that rules of CNI-FORWARD lead to. */
const adminsIn = (rules: readonly FoundRule[]): string[] =>
  rules.flatMap(({ rule, target }) => (rule?.comment === ADMIN_COMMENT && target ? target : []));

/** The rules of a chain, none if it does not exist. */
export const rulesOf = ({ chains }: FilterState, name: string): readonly FoundRule[] =>
  chains.get(name)?.rules ?? [];
