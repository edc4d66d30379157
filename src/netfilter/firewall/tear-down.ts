import { Failures } from "../../cni/failures.ts";
import { FAMILIES } from "../../net/ip.ts";
import { findChains, hasLegacyTable, openNftables } from "../kernel.ts";
import { IPTABLES_FORWARD } from "../nftables/base-chains.ts";
import { CNI_FORWARD } from "./layout.ts";
import type { Leaving } from "./removal.ts";

/** ENTRY of own-table.ts, which is not loaded for this. */
const OWN_ENTRY = { family: "inet", table: "cni_firewall", chain: "forward" } as const;

/**
 * Removes the attachment's rules from all backends, also those of the reference. It succeeds if there are none, and goes on
 * past errors. @throws CniError
 */
export async function tearDown(leaving: Leaving): Promise<void> {
  using netfilter = openNftables();
  const failures = new Failures();
  let isAnything = false;
  await failures.attemptLast(() => {
    if (netfilter === undefined) return;
    const places = [
      OWN_ENTRY,
      ...FAMILIES.map((family) => ({ ...IPTABLES_FORWARD[family], chain: CNI_FORWARD })),
    ];
    for (const chain of findChains(netfilter, places)) isAnything ||= chain !== undefined;
  });
  for (const family of FAMILIES) isAnything ||= hasLegacyTable(family, "filter");
  const { removeRules, removeSources } = await import("./removal.ts");
  // Usually there are rules. Sources are there only if firewalld runs.
  const addresses = isAnything ? await removeRules(netfilter, leaving, failures) : [];
  await failures.attemptLast(() => removeSources(leaving, addresses));
  failures.throwIfAny("failed to remove the firewall rules");
}
