/** What must hold on the host of a storm, and is not a matter of one attachment. */
import { firewalledAddresses } from "./chain-eyes.ts";
import { leaseFiles } from "./eyes.ts";
import { type Rules, repeatedRules } from "./rules.ts";
import type { StormState } from "./storm-state.ts";

/** The addresses of all leases, by network. */
export const heldAddresses = (storm: StormState): string[] =>
  storm.networks.flatMap(({ name }) => [...leaseFiles(name).keys()].map((address) => `${name} ${address}`));

/**
 * Finds shared rules that are there twice, and rules for an address that is nobody's. `held` are the addresses of leases that
 * were there before or after the look.
 */
export function judgeShared(storm: StormState, rules: Rules, held: ReadonlySet<string>, when: string): void {
  // iptables-save shows a chain twice when the rule set changes while it reads: only what two looks show counts.
  const seen = repeatedRules(rules);
  const repeated = seen.filter((line) => storm.repeated.includes(line));
  storm.repeated = seen;
  if (repeated.length > 0) storm.violation(`${when}, rules are there twice:\n    ${repeated.join("\n    ")}`);
  for (const network of storm.networks) {
    if (network.behind === undefined || storm.gates.get(network.name)?.isClosed) continue;
    const ours = storm.attachments.filter((attachment) => attachment.network === network);
    // A killed GC may have removed the leases, but not yet the rules.
    const isUnknown = ours.some(({ state, result }) => state === "uncertain" && result === undefined);
    if (isUnknown || ours.some(({ container }) => container.busy)) continue;
    storm.count("looks for rules without an owner");
    for (const address of firewalledAddresses(rules, network)) {
      if (held.has(`${network.name} ${address}`)) continue;
      if (ours.some(({ addresses }) => addresses.includes(address))) continue;
      storm.violation(
        `${when}, the firewall has rules for ${address}, which is nobody's`,
        address,
        network.name,
      );
    }
  }
}
