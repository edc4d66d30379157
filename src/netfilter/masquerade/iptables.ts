/** Masquerading with the rules of iptables (rules B28, G5, G16, G27). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { iptablesChain } from "../attachment-names.ts";
import { type ChainState, type Plan, toolOf } from "../iptables/chain-state.ts";
import { hostTable, otherTable } from "../iptables/host-table.ts";
import { type NatTable, updateChain } from "../iptables/nat-table.ts";
import { updateNft } from "../iptables/nft-table.ts";
import { isUnsupported } from "../nftables/kernel.ts";
import { planSetUp } from "./iptables-plan.ts";

interface FamilyPlan {
  readonly family: Family;
  readonly table: NatTable;
  readonly plan: Plan;
}

/** Adds what is missing. @throws CniError, NetlinkError */
export async function setUpIptables(
  connection: Connection | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  const chain = iptablesChain(attachment);
  const plans: FamilyPlan[] = [];
  for (const family of FAMILIES) {
    const own = addresses.filter(({ address }) => address.family === family);
    if (own.length === 0) continue;
    const plan = (state: ChainState | undefined) => planSetUp(state, attachment, family, own);
    plans.push({ family, table: usableTable(connection, family), plan });
  }
  if (connection !== undefined && plans.every(({ table }) => table.connection !== undefined)) {
    try {
      updateNft(connection, chain, plans);
      return;
    } catch (error) {
      // The kernel may have nf_tables for one of the families only. Then nothing was done.
      if (!isUnsupported(error)) throw error;
    }
  }
  for (const { table, plan } of plans) {
    try {
      await updateChain(table, chain, plan);
    } catch (error) {
      const other = isUnsupported(error) ? otherTable(table) : undefined;
      if (other === undefined) throw error;
      await updateChain(other, chain, plan);
    }
  }
}

/** @throws CniError where the host has no iptables for the family */
function usableTable(connection: Connection | undefined, family: Family): NatTable {
  const table = hostTable(connection, family);
  if (table !== undefined) return table;
  const program = toolOf(family);
  throw new CniError(
    code.internal,
    `cannot masquerade with ${program}: there is no program ${program}-restore that works with this kernel in the ` +
      `system's folders or on PATH; install ${program}, or set "ipMasqBackend": "nftables"`,
  );
}
