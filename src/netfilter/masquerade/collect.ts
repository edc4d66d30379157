/** GC of the masquerade rules (G1), and the list of them. */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark, iptablesChain, networkMark } from "../attachment-names.ts";
import { allTables, type NatTable, networkRules, updateChain } from "../iptables/nat-table.ts";
import { MASQ_POSTROUTING } from "../nftables/base-chains.ts";
import { isUnsupported } from "../nftables/kernel.ts";
import { remove } from "../nftables/own-tables.ts";
import type { FoundRule } from "../rule.ts";
import { planCollection } from "./iptables-plan.ts";
import { rulesMarked } from "./nftables.ts";

/** A rule of an attachment: `mark`, or in iptables else the comment, says of which. */
export interface Listed {
  readonly rule: FoundRule;
  /** Where iptables has it; undefined for nftables. */
  readonly table: NatTable | undefined;
}

/** The rules of a network's attachments in all backends, whoever has written them; errors go to `failures`. */
export async function list(
  netfilter: Connection | undefined,
  network: string,
  failures: Failures,
): Promise<Listed[]> {
  const listed: Listed[] = [];
  const tables = (await failures.attemptLast(() => allTables(netfilter))) ?? [];
  for (const table of [...(netfilter === undefined ? [] : [undefined]), ...tables]) {
    await failures.attemptLast(
      ifSupported(async () => {
        const rules =
          table !== undefined
            ? await networkRules(table, network)
            : netfilter === undefined
              ? []
              : rulesMarked(netfilter, networkMark(network));
        for (const rule of rules) listed.push({ rule, table });
      }),
    );
  }
  return listed;
}

/** A kernel without nf_tables for a family has no rules there. */
const ifSupported = (step: () => Promise<void>) => async (): Promise<void> => {
  try {
    await step();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
};

/** Removes the rules of the network's attachments that are not in `valid`. Goes on past errors. @throws CniError */
export async function collect(
  netfilter: Connection | undefined,
  network: string,
  valid: Iterable<ContainerInterface>,
): Promise<void> {
  const failures = new Failures();
  const listed = await list(netfilter, network, failures);
  const stale = new Set<string>();
  /** By table and chain the marks of the valid attachments of its container. */
  const chains = new Map<NatTable, Map<string, Set<string>>>();
  for (const { rule, table } of listed) {
    if (table === undefined) stale.add(rule.mark ?? "");
    else {
      const chain = rule.target ?? rule.chain;
      if (!chain.startsWith("CNI-")) continue;
      const living = chains.get(table) ?? new Map<string, Set<string>>();
      chains.set(table, living.set(chain, living.get(chain) ?? new Set()));
    }
  }
  if (listed.length > 0) {
    for (const { containerId, ifname } of valid) {
      const attachment = { network, containerId, ifname };
      const mark = attachmentMark(attachment);
      stale.delete(mark);
      for (const living of chains.values()) living.get(iptablesChain(attachment))?.add(mark);
    }
  }
  if (netfilter !== undefined && stale.size > 0) {
    await failures.attemptLast(() =>
      remove(netfilter, MASQ_POSTROUTING, () =>
        rulesMarked(netfilter, networkMark(network)).filter(({ mark }) => stale.has(mark ?? "")),
      ),
    );
  }
  for (const [table, marks] of chains) {
    for (const [chain, living] of marks) {
      await failures.attemptLast(
        ifSupported(() => updateChain(table, chain, (state) => planCollection(state, network, living))),
      );
    }
  }
  failures.throwIfAny("failed to collect the masquerade rules");
}
