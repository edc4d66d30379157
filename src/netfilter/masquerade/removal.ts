/** Removes an attachment's rules from the tables that have some. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Failures } from "../../cni/failures.ts";
import type { Connection } from "../../netlink/connection.ts";
import { deleteRule } from "../../netlink/nftables/rule.ts";
import { iptablesChain } from "../attachment-names.ts";
import type { Place } from "../iptables/change.ts";
import { updateChain } from "../iptables/nat-table.ts";
import { isUnsupported } from "../kernel.ts";
import { MASQ_POSTROUTING } from "../nftables/base-chains.ts";
import { remove } from "../nftables/own-tables.ts";
import { planTearDown } from "./iptables-plan.ts";
import { rulesOf } from "./nftables.ts";

/** @param netfilter needed for the place "nftables" */
export async function removeFrom(
  places: readonly (Place | "nftables")[],
  netfilter: Connection | undefined,
  attachment: Attachment,
  failures: Failures,
): Promise<void> {
  for (const place of places) {
    await ifSupported(failures, async () => {
      if (place !== "nftables") await updateChain(place, iptablesChain(attachment), planTearDown(attachment));
      else if (netfilter !== undefined)
        remove(netfilter, MASQ_POSTROUTING, () => rulesOf(netfilter, attachment).map(deleteRule));
    });
  }
}

/** Runs a step and keeps its failure, unless the kernel has no nf_tables for a family and so no rules. */
export const ifSupported = (failures: Failures, step: () => Promise<void>): Promise<void> =>
  failures.attemptLast(async () => {
    try {
      await step();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  });
