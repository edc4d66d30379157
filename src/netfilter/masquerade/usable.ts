/** Whether a backend can work on this host (G2), by reading alone (docs/decisions/0034-status-reads.md). */
import { CniError, code } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getExtension } from "../../netlink/nftables/compat.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { type Backend, chosen, hostTable } from "../iptables/host.ts";
import { findChains, openNftables } from "../kernel.ts";
import { IPTABLES_POSTROUTING, isHooked, MASQ_POSTROUTING, type OwnChain } from "../nftables/base-chains.ts";

/** STATUS. @throws CniError code 50 with the remedy when the backend cannot work here; changes nothing */
export async function requireUsable(backend: Backend | undefined): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  if (await looksUsable(choice, netfilter)) return;
  const problem = await (await import("./problem.ts")).problemOf(choice, backend, netfilter);
  if (problem !== undefined) throw new CniError(code.notAvailable, problem);
}

/** Whether nothing that can be read raises a doubt. False says nothing: problem.ts has the kernel's answer. */
export async function looksUsable(choice: Backend, netfilter: Connection | undefined): Promise<boolean> {
  if (choice === "nftables") return netfilter !== undefined && hasNat(netfilter, MASQ_POSTROUTING);
  const connection = (await hostTable(netfilter, 4))?.connection;
  return connection !== undefined && hasNat(connection, IPTABLES_POSTROUTING[4]) && hasExtensions(connection);
}

/**
 * Whether reading shows that the kernel has NAT for nf_tables, or that it can load it. What is built into the kernel
 * does not show before it is used: a kernel without modules is taken to have it.
 */
function hasNat(connection: Connection, base: OwnChain): boolean {
  if (isHooked(findChains(connection, [base])[0], base)) return true;
  const loaded = textOf("/proc/modules");
  if (loaded === undefined || `\n${loaded}`.includes("\nnft_chain_nat ")) return true;
  const folder = `/lib/modules/${readText("/proc/sys/kernel/osrelease").trim()}`;
  return ["modules.builtin", "modules.dep"].some((list) =>
    textOf(`${folder}/${list}`)?.includes("/nft_chain_nat.ko"),
  );
}

function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether iptables-nft's own extensions are there. */
const hasExtensions = (connection: Connection): boolean =>
  connection
    .getAll([getExtension("ip", "match", "comment"), getExtension("ip", "target", "MASQUERADE")])
    .every(({ error }) => error === undefined);
