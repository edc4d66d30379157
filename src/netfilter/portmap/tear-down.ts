/** Removes the published ports of an attachment (rules M22, M41 to M44). */
import type { Attachment } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import { FAMILIES, type Family, type IpAddress } from "../../net/ip.ts";
import { portChain } from "../attachment-names.ts";
import { findChains, hasLegacyTable, openNftables } from "../kernel.ts";
import {
  HOSTPORTS,
  HOSTPORTS_LEADS,
  IPTABLES_HOSTPORTS,
  IPTABLES_POSTROUTING,
  isIdle,
} from "../nftables/base-chains.ts";
import type { Endpoint } from "../rule.ts";
import { conditionsPlaces } from "./conditions-place.ts";
import type { Helpers } from "./removal.ts";

/**
 * Removes the attachment's rules from all backends, also those of the reference. They are found by the attachment alone. It
 * succeeds if there are none, and goes on past errors.
 * @param isOwn whether an address in a rule that does not tell of its attachment is that of this one
 * @param known UDP ports of the container that were published: an earlier call may have been killed behind the removal of
 * their rules and before the end of their flows. @throws CniError
 */
export async function tearDown(
  attachment: Attachment,
  isOwn: (address: IpAddress) => boolean,
  helpers: Helpers,
  known: readonly Endpoint[] = [],
): Promise<void> {
  using netfilter = openNftables();
  const failures = new Failures();
  const chain = portChain(attachment);
  const old = portChain(attachment, "SN");
  const chains = new Map<Family, string[]>();
  const families: Family[] = [];
  let hasConditions = false;
  let hasIdle = false;
  await failures.attemptLast(() => {
    if (netfilter === undefined) return;
    const wanted = FAMILIES.flatMap((family) => {
      const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
      const named = (name: string) => ({ family: tableFamily, table, chain: name });
      const { ofNft, ofIptables } = conditionsPlaces(attachment, family);
      return [
        ...[HOSTPORTS[family].ports, IPTABLES_HOSTPORTS[family]],
        ...[named(chain), named(old), ofNft, ofIptables],
      ];
    });
    const found = findChains(netfilter, wanted);
    for (const [index, family] of FAMILIES.entries()) {
      const [ports, entry, own, oldOwn, ofNft, ofIptables] = found.slice(6 * index);
      // A call may have been killed before it could remove the chain.
      hasIdle ||= isIdle(entry, HOSTPORTS_LEADS);
      hasConditions ||= ofNft !== undefined || ofIptables !== undefined;
      if (ports !== undefined) families.push(family);
      if (own !== undefined || oldOwn !== undefined) chains.set(family, [chain]);
    }
  });
  const users =
    netfilter === undefined
      ? []
      : ((await failures.attemptLast(async () =>
          (await import("./guard.ts")).findUsers(netfilter, attachment),
        )) ?? []);
  if (netfilter !== undefined && hasConditions)
    await failures.attemptLast(async () =>
      (await import("./conditions.ts")).removeLeftConditions(netfilter, attachment),
    );
  const hasLegacy = FAMILIES.some((family) => hasLegacyTable(family, "nat"));
  // Usually there are no rules: the code that removes them is loaded only if needed.
  if (families.length + chains.size + users.length > 0 || hasIdle || hasLegacy) {
    const { remove } = await import("./removal.ts");
    const ofIptables = (await import("./iptables-removal.ts")).ownedBy(attachment, isOwn);
    const ofNftables = (await import("./nftables.ts")).ownedBy(attachment, isOwn);
    const legacyChains = async (): Promise<string[]> => [chain];
    await remove(
      netfilter,
      { ofNftables, ofIptables, chains, legacyChains, families, users },
      failures,
      helpers,
    );
  }
  if (known.length > 0) {
    const { flowsTo, tryToEndFlows } = await import("./flows.ts");
    tryToEndFlows(netfilter, flowsTo(known), helpers.log);
  }
  failures.throwIfAny("failed to remove published ports");
}
