/** Removes rules of published ports from all tables that can hold some (rules M22, M40 to M44, M50). */
import type { Failures } from "../../cni/failures.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { type Chain, deleteChain } from "../../netlink/nftables/chain.ts";
import { deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { findChains, hasLegacyTable, isUnsupported } from "../kernel.ts";
import {
  HOSTPORTS,
  HOSTPORTS_LEADS,
  IPTABLES_HOSTPORTS,
  IPTABLES_OUTPUT,
  IPTABLES_POSTROUTING,
  IPTABLES_PREROUTING,
  isIdle,
} from "../nftables/base-chains.ts";
import { having, rulesIn } from "../nftables/found-rules.ts";
import { deleteEmpty, isMarked } from "../nftables/own-tables.ts";
import { update } from "../nftables/update.ts";
import type { Endpoint, Rule } from "../rule.ts";
import { flowsTo, tryToEndFlows } from "./flows.ts";
import { leaveRequests } from "./guard.ts";
import { GuardLock } from "./guard-lock.ts";
import { withTexts } from "./iptables.ts";
import { SHARED } from "./iptables-layout.ts";
import { type Owned as OwnedOfIptables, planIdle, planTearDown } from "./iptables-removal.ts";
import { readLegacy, readOwnNft } from "./iptables-state.ts";
import { emptyTableRequests, type Owned, ownRules } from "./nftables.ts";

/** What is removed, and how it is recognized. */
export interface Removal {
  readonly ofNftables: Owned;
  readonly ofIptables: OwnedOfIptables;
  /** Chains of containers in iptables-nft, by family. */
  readonly chains: ReadonlyMap<Family, readonly string[]>;
  /** Chains of containers in iptables-legacy. */
  readonly legacyChains: (family: Family) => Promise<readonly string[]>;
  /** Families that have a table of nftables. */
  readonly families: readonly Family[];
  /** Attachments that leave the guard. */
  readonly users: readonly Chain[];
}

/** What a removal needs of its caller. */
export interface Helpers {
  /** Takes the host's lock. */
  readonly lock: () => Disposable | undefined;
  readonly log: (line: string) => void;
}

/** Removes everything in nf_tables in one transaction, and goes on past errors. */
export async function remove(
  netfilter: Connection | undefined,
  { ofNftables, ofIptables, chains, legacyChains, families, users }: Removal,
  failures: Failures,
  helpers: Helpers,
): Promise<void> {
  const ended: Rule[] = [];
  // Flows also end before their rules: after a call that is killed in between, no rule tells of them any more.
  const endFlowsOf = (rules: readonly Rule[]): void =>
    tryToEndFlows(netfilter, flowsTo(udpEndpoints(rules)), helpers.log);
  if (netfilter !== undefined)
    await failures.attemptLast(() => {
      let found: Rule[] = [];
      using lock = new GuardLock(helpers.lock);
      const plan = (): Request[] => {
        const requests: Request[] = [];
        found = [];
        for (const family of families) {
          const rules = ownRules(netfilter, family, ofNftables);
          for (const rule of rules) {
            requests.push(deleteRule(rule));
            if (rule.mayBeUdp !== false && rule.part !== undefined) found.push(rule.part);
          }
        }
        for (const [family, names] of chains) {
          for (const chain of names) {
            const planned = planTearDown(
              readOwnNft(netfilter, family, chain, ofIptables.own),
              chain,
              ofIptables,
            );
            for (const request of requestsFor(IPTABLES_POSTROUTING[family], planned.changes, []))
              requests.push(request);
            for (const rule of planned.removed) found.push(rule);
          }
        }
        const leaving = leaveRequests(netfilter, users, lock);
        if (leaving === undefined) return [];
        for (const request of leaving) requests.push(request);
        endFlowsOf(found);
        return requests;
      };
      do update(netfilter, plan);
      while (lock.mustRepeat());
      for (const rule of found) ended.push(rule);
      deleteIdle(netfilter, chains);
    });
  for (const family of FAMILIES) {
    await failures.attemptLast(async () => {
      if (!hasLegacyTable(family, "nat")) return;
      const owned = await legacyChains(family);
      const [first] = owned;
      if (first === undefined) return;
      const { updateLegacy } = await import("../iptables/legacy-changes.ts");
      let removed: readonly Rule[] | undefined;
      await updateLegacy(family, "nat", first, async () => {
        const state = await readLegacy(family);
        const planned = owned.map((chain) => planTearDown(state, chain, ofIptables));
        const changes = planned.flatMap((each) => each.changes);
        const rules = planned.flatMap((each) => each.removed);
        removed ??= rules;
        endFlowsOf(rules);
        return withTexts(family, [...changes, ...planIdle(state, changes)]);
      });
      for (const rule of removed ?? []) ended.push(rule);
    });
  }
  endFlowsOf(ended);
}

const udpEndpoints = (rules: readonly Rule[]): Endpoint[] =>
  rules.flatMap(({ protocol, to }) => (protocol === "udp" && to !== undefined ? [to] : []));

/**
 * With the last mapping, removes what this program has made for all of them, so that the host is as before. An earlier call may
 * have been killed right before this. `emptied` has the families in whose table of iptables a container's chain was.
 */
function deleteIdle(connection: Connection, emptied: ReadonlyMap<Family, unknown>): void {
  try {
    const ports = findChains(connection, [HOSTPORTS[4].ports, HOSTPORTS[6].ports]);
    const idle = FAMILIES.filter((_, index) => isIdle(ports[index], 1));
    if (idle.length > 0)
      update(connection, () => idle.flatMap((family) => emptyTableRequests(connection, family)));
    const entries = findChains(connection, [IPTABLES_HOSTPORTS[4], IPTABLES_HOSTPORTS[6]]);
    for (const [index, family] of FAMILIES.entries()) {
      if (!emptied.has(family) && !isIdle(entries[index], HOSTPORTS_LEADS)) continue;
      update(connection, () => idleChains(connection, family));
      for (const base of [IPTABLES_PREROUTING, IPTABLES_OUTPUT, IPTABLES_POSTROUTING])
        deleteEmpty(connection, base[family]);
    }
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}

/** The requests that delete the shared chains of iptables-nft, if no container's chain is left. @throws NetlinkError */
function idleChains(connection: Connection, family: Family): Request[] {
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const named = (chain: string) => ({ family: tableFamily, table, chain });
  const [entry, setMark, masquerade] = findChains(
    connection,
    [SHARED.entry, SHARED.setMark, SHARED.masquerade].map(named),
  );
  // Two rules lead into the entry.
  if (!isMarked(entry) || (entry?.use ?? 0) > 2 || rulesIn(connection, named(SHARED.entry)).length > 0)
    return [];
  const own = [entry, setMark, masquerade].filter((chain) => isMarked(chain)).flatMap((chain) => chain ?? []);
  const names = own.map(({ chain }) => chain);
  const bases = [IPTABLES_PREROUTING[family], IPTABLES_OUTPUT[family], IPTABLES_POSTROUTING[family]];
  const leading = bases.flatMap((base) =>
    rulesIn(connection, base, ({ target }) => target !== undefined && names.includes(target), having(names)),
  );
  const inside = own.flatMap((chain) => rulesIn(connection, chain));
  const uses = own.reduce((sum, { use = 0 }) => sum + use, 0);
  // A rule of another program leads there.
  if (uses !== leading.length + inside.length) return [];
  return [...leading.map(deleteRule), ...own.flatMap((chain) => [flushChain(chain), deleteChain(chain)])];
}
