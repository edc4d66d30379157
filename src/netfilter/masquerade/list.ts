/** Lists masquerade rules, and removes those of attachments that are gone (G1). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import type { Connection } from "../../netlink/connection.ts";
import { deleteRule } from "../../netlink/nftables/rule.ts";
import { attachmentMark, iptablesChain, networkMark } from "../attachment-names.ts";
import type { Place } from "../iptables/change.ts";
import { allTables, networkRules, updateChain } from "../iptables/nat-table.ts";
import { openNftables } from "../kernel.ts";
import { MASQ_POSTROUTING } from "../nftables/base-chains.ts";
import { remove } from "../nftables/own-tables.ts";
import type { FoundRule } from "../rule.ts";
import { planCollection } from "./iptables-plan.ts";
import { rulesMarked } from "./nftables.ts";
import { ifSupported } from "./removal.ts";

/** A rule of an attachment. Its mark identifies the attachment; in iptables a rule without a mark has a comment. */
export interface Listed {
  readonly rule: FoundRule;

  readonly table: Place | "nftables";
}

/** The rules of a network's attachments in all backends, also the reference's. Errors are added to `failures`. */
export async function list(
  netfilter: Connection | undefined,
  network: string,
  failures: Failures,
): Promise<Listed[]> {
  const listed: Listed[] = [];
  const add = (table: Listed["table"], find: () => Promise<readonly FoundRule[]> | readonly FoundRule[]) =>
    ifSupported(failures, async () => {
      for (const rule of await find()) listed.push({ rule, table });
    });
  if (netfilter !== undefined) await add("nftables", () => rulesMarked(netfilter, networkMark(network)));
  for (const table of (await failures.attemptLast(() => allTables(netfilter))) ?? []) {
    await add(table, () => networkRules(table, network));
  }
  return listed;
}

/** Removes the rules of the network's attachments that are not in `valid`. Goes on past errors. @throws CniError */
export async function collect(network: string, valid: Iterable<ContainerInterface>): Promise<void> {
  using netfilter = openNftables();
  const failures = new Failures();
  const stale = new Set<string | undefined>();
  /** By table and chain: the marks of the valid attachments of the chain's container. */
  const chains = new Map<Place, Map<string, Set<string>>>();
  for (const { rule, table } of await list(netfilter, network, failures)) {
    const chain = rule.target ?? rule.chain;
    if (table === "nftables") stale.add(rule.mark);
    else if (chain.startsWith("CNI-")) {
      const living = chains.get(table) ?? new Map<string, Set<string>>();
      chains.set(table, living.set(chain, living.get(chain) ?? new Set()));
    }
  }
  if (stale.size + chains.size > 0) {
    for (const { containerId, ifname } of valid) {
      const attachment = { network, containerId, ifname };
      const mark = attachmentMark(attachment);
      stale.delete(mark);
      for (const living of chains.values()) living.get(iptablesChain(attachment))?.add(mark);
    }
  }
  if (netfilter !== undefined && stale.size > 0) {
    const find = () => rulesMarked(netfilter, networkMark(network)).filter(({ mark }) => stale.has(mark));
    await failures.attemptLast(() => remove(netfilter, MASQ_POSTROUTING, () => find().map(deleteRule)));
  }
  for (const [table, marks] of chains) {
    for (const [chain, living] of marks) {
      await ifSupported(failures, () => updateChain(table, chain, planCollection(network, living)));
    }
  }
  failures.throwIfAny("failed to collect the masquerade rules");
}
