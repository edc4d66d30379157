/** Removes the masquerading of an attachment (B33, G5). */
import type { Attachment } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import { FAMILIES } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { iptablesChain } from "../attachment-names.ts";
import type { Place } from "../iptables/change.ts";
import { findChains, hasLegacyTable, openNftables } from "../kernel.ts";
import { IPTABLES_POSTROUTING, MASQ_CHECKS } from "../nftables/base-chains.ts";

/**
 * Removes the attachment's rules from all backends, also those of the reference. They are found by the attachment
 * alone. It succeeds if there are none, and goes on past errors.
 * @param connection from `openNftables`, for a caller that has more to do before closing it. @throws CniError
 */
export async function tearDown(attachment: Attachment, connection?: Connection): Promise<void> {
  using own = connection === undefined ? openNftables() : undefined;
  const netfilter = connection ?? own;
  const failures = new Failures();
  const chain = iptablesChain(attachment);
  const places: (Place | "nftables")[] = [];
  await failures.attemptLast(() => {
    if (netfilter === undefined) return;
    const [checks, ip, ip6] = findChains(netfilter, [
      MASQ_CHECKS,
      { family: IPTABLES_POSTROUTING[4].family, table: "nat", chain },
      { family: IPTABLES_POSTROUTING[6].family, table: "nat", chain },
    ]);
    // The chain's use counts its rules.
    if (checks?.use) places.push("nftables");
    if (ip !== undefined) places.push({ family: 4, connection: netfilter });
    if (ip6 !== undefined) places.push({ family: 6, connection: netfilter });
  });
  await failures.attemptLast(() => {
    for (const family of FAMILIES)
      if (hasLegacyTable(family, "nat")) places.push({ family, connection: undefined });
  });
  // Usually there are no rules: the code that removes them is loaded only if needed.
  if (places.length > 0)
    await (await import("./removal.ts")).removeFrom(places, netfilter, attachment, failures);
  failures.throwIfAny("failed to remove the masquerade rules");
}
