/** Finds where no packet reaches the published ports of a backend, since a program has removed what leads there (M55). */
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { readTable } from "../iptables/legacy-table.ts";
import { hasLegacyTable, isUnsupported } from "../kernel.ts";
import { HOSTPORTS, IPTABLES_PREROUTING, isHooked } from "../nftables/base-chains.ts";
import { rulesIn } from "../nftables/found-rules.ts";
import type { FoundRule } from "../rule.ts";
import { SHARED } from "./iptables-layout.ts";
import { chainsOf } from "./nftables.ts";
import { entryRules } from "./nftables-layout.ts";

/** A closed entrance: where, and what is missing, as in "chain PREROUTING has no rule that leads to CNI-HOSTPORT-DNAT". */
export interface ClosedEntrance {
  readonly family: Family;
  readonly variant: "nftables" | "nft" | "legacy";
  readonly missing: string;
}

/** All closed entrances. A backend without any port has one, too. @throws NetlinkError, SystemError */
export function closedEntrances(netfilter: Connection | undefined): ClosedEntrance[] {
  const closed: ClosedEntrance[] = [];
  const add = (family: Family, variant: ClosedEntrance["variant"], look: () => string | undefined): void => {
    const missing = look();
    if (missing !== undefined) closed.push({ family, variant, missing });
  };
  for (const family of FAMILIES) {
    if (netfilter !== undefined) {
      add(family, "nftables", () => ifSupported(() => missingOfNftables(netfilter, family)));
      add(family, "nft", () =>
        ifSupported(() => missingOfIptables(rulesIn(netfilter, IPTABLES_PREROUTING[family]))),
      );
    }
    if (hasLegacyTable(family, "nat"))
      add(family, "legacy", () => missingOfIptables(readTable(family, "nat").chains.get("PREROUTING") ?? []));
  }
  return closed;
}

function ifSupported(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    if (isUnsupported(error)) return undefined;
    throw error;
  }
}

const noLead = (chain: string, target: string): string =>
  `chain ${chain} has no rule that leads to ${target}`;

const missingOfIptables = (rules: readonly FoundRule[]): string | undefined =>
  rules.some(({ target }) => target === SHARED.entry) ? undefined : noLead("PREROUTING", SHARED.entry);

function missingOfNftables(netfilter: Connection, family: Family): string | undefined {
  const own = HOSTPORTS[family];
  if (!isHooked(chainsOf(netfilter, family).prerouting, own.prerouting))
    return `chain ${own.prerouting.chain} is missing, or is not a nat chain of its hook`;
  for (const [chain, wanted] of entryRules(own)) {
    // Only the host's own connections pass there.
    if (chain === own.output) continue;
    const targets = new Set(rulesIn(netfilter, chain).map(({ target }) => target));
    const lost = wanted.find(({ target }) => target !== own.hostIpPorts.chain && !targets.has(target));
    if (lost !== undefined) return noLead(chain.chain, lost.target);
  }
  return undefined;
}
