/** Sets up the masquerading of an attachment's addresses in the current network namespace (B27–B29). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, toCniError } from "../../cni/error.ts";
import { FAMILIES } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { iptablesChain } from "../attachment-names.ts";
import { type Backend, chosen, hostTable, legacyTable } from "../iptables/host.ts";
import { updateNft } from "../iptables/nft-table.ts";
import { isUnsupported, NO_NFTABLES, openNftables } from "../kernel.ts";
import { planSetUp } from "./iptables-plan.ts";

/**
 * Makes traffic from `addresses` (as in the result) leave with the host's address, except traffic to their own subnets
 * and to multicast. Repeating it changes nothing. After a failure some rules may exist; call `tearDown`.
 * @param backend undefined for the default. @throws CniError
 */
export async function setUp(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  try {
    if (choice === "iptables") await setUpIptables(netfilter, attachment, addresses);
    else if (netfilter === undefined) throw new Error(NO_NFTABLES);
    else (await import("./nftables.ts")).setUpNftables(netfilter, attachment, addresses);
  } catch (error) {
    if (error instanceof CniError) throw error;
    const { problemOf } = await import("./problem.ts");
    const { code, message } = toCniError(error);
    throw new CniError(code, (await problemOf(choice, backend, netfilter, message)) ?? message);
  }
}

/** The same with the rules of iptables (G16, G27). @throws CniError, NetlinkError */
export async function setUpIptables(
  connection: Connection | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  const chain = iptablesChain(attachment);
  const plans = [];
  let areNft = true;
  for (const family of FAMILIES) {
    const own: Prefix[] = [];
    for (const prefix of addresses) if (prefix.address.family === family) own.push(prefix);
    if (own.length === 0) continue;
    const table = await hostTable(connection, family);
    if (table === undefined) throw (await import("./problem.ts")).noIptables(family);
    areNft &&= table.connection !== undefined;
    plans.push({ family, table, plan: planSetUp(attachment, family, own) });
  }
  if (connection !== undefined && areNft) {
    try {
      updateNft(connection, chain, plans);
      return;
    } catch (error) {
      // The kernel may have nf_tables for only one of the families. Then the transaction changed nothing.
      if (!isUnsupported(error)) throw error;
    }
  }
  const { updateChain } = await import("../iptables/nat-table.ts");
  for (const { family, table, plan } of plans) {
    try {
      await updateChain(table, chain, plan);
    } catch (error) {
      const other = table.connection && isUnsupported(error) ? await legacyTable(family) : undefined;
      if (other === undefined) throw error;
      await updateChain(other, chain, plan);
    }
  }
}
