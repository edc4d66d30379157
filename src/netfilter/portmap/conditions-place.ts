/** Where conditions are written to be compiled. Both places belong to one attachment, so a later call finds what was left. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import { attachmentMark } from "../attachment-names.ts";
import { HOSTPORTS, IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";

/** The chain for words of nft, in a table of its own, and that for words of iptables. */
export function conditionsPlaces(attachment: Attachment, family: Family) {
  const mark = attachmentMark(attachment);
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  return {
    ofNft: {
      family: HOSTPORTS[family].ports.family,
      table: `cni_hostport_conditions_${mark}`,
      chain: "conditions",
    },
    // Names of chains of iptables have at most 28 characters.
    ofIptables: { family: tableFamily, table, chain: `CNI-TRY-${mark.replace("-", "").slice(12)}` },
  } as const;
}
