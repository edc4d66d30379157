/** Decides by reading alone whether a backend can work on this host (G2; docs/decisions/0034-status-reads.md). */
import { CniError, code } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getExtension } from "../../netlink/nftables/compat.ts";
import { failedWith } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { type Backend, chosen, hostTable } from "../iptables/host.ts";
import { findChains, openNftables } from "../kernel.ts";
import { IPTABLES_POSTROUTING, isHooked, MASQ_POSTROUTING, type OwnChain } from "../nftables/base-chains.ts";

/** For STATUS; changes nothing. @throws CniError code 50 with the remedy if the backend cannot work here */
export async function requireUsable(backend: Backend | undefined): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  if (await looksUsable(choice, netfilter)) return;
  const problem = await (await import("./problem.ts")).problemOf(choice, backend, netfilter);
  if (problem !== undefined) throw new CniError(code.notAvailable, problem);
}

/** True if reading finds no problem. False is not an answer: problem.ts then has the kernel check a transaction. */
export async function looksUsable(choice: Backend, netfilter: Connection | undefined): Promise<boolean> {
  if (choice === "nftables") return netfilter !== undefined && hasNat(netfilter, MASQ_POSTROUTING);
  const connection = (await hostTable(netfilter, 4))?.connection;
  return connection !== undefined && hasNat(connection, IPTABLES_POSTROUTING[4]) && hasExtensions(connection);
}

/**
 * Whether the kernel has NAT for nf_tables or can load it. A kernel without modules counts as having it, since built-in
 * NAT is not visible before its first use.
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

/** Whether the kernel has the extensions that iptables-nft uses. */
const hasExtensions = (connection: Connection): boolean =>
  connection
    .getAll([getExtension("ip", "match", "comment"), getExtension("ip", "target", "MASQUERADE")])
    .every(({ error }) => error === undefined);
