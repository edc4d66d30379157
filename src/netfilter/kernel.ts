/** Opens and reads the kernel's tables, and recognizes a kernel that does not have them. */
import { toCniError } from "../cni/error.ts";
import type { Family } from "../net/ip.ts";
import type { Connection, Request } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { connect, protocol } from "../netlink/index.ts";
import type { Message } from "../netlink/message.ts";
import { currentGeneration } from "../netlink/nftables/batch.ts";
import { type Chain, type ChainName, decodeChain, getChain } from "../netlink/nftables/chain.ts";
import { failedWith } from "../sys/errno.ts";
import { readText } from "../sys/file.ts";

/** The problem if `openNftables` returns undefined. */
export const NO_NFTABLES = "this kernel has no nf_tables";

/** Whether the kernel has no nf_tables for this family, and so no rules either. */
export function isUnsupported(error: unknown): boolean {
  return refusedWith(error, "EAFNOSUPPORT", "EOPNOTSUPP", "EPROTONOSUPPORT");
}

/**
 * Opens a connection in the thread's network namespace; undefined on a kernel without nf_tables. Closing it waits about
 * 15 ms, until the kernel has freed the rules that were deleted through it; so callers do their other waiting first.
 * @throws CniError
 */
export function openNftables(): Connection | undefined {
  let connection: Connection | undefined;
  try {
    connection = connect(protocol.netfilter);
    currentGeneration(connection);
    return connection;
  } catch (error) {
    connection?.[Symbol.dispose]();
    // Only these answers of the kernel count (EINVAL: no such subsystem): treating every failure so would leak rules.
    if (failedWith(error, "EPROTONOSUPPORT") || refusedWith(error, "EINVAL") || isUnsupported(error))
      return undefined;
    const remedy = permissionRemedy(error);
    throw toCniError(error).during(`cannot read nf_tables${remedy === undefined ? "" : ` (${remedy})`}`);
  }
}

/** The remedy for a missing permission; undefined for any other error. */
export function permissionRemedy(error: unknown): string | undefined {
  return refusedWith(error, "EPERM")
    ? "the plugin needs CAP_NET_ADMIN in the host's network namespace: run it as root"
    : undefined;
}

/** The reply to each request, undefined if the object does not exist. @throws NetlinkError */
export function getEach(connection: Connection, requests: readonly Request[]): (Message | undefined)[] {
  const found: (Message | undefined)[] = [];
  for (const { error, replies } of connection.getAll(requests)) {
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
    found.push(error === undefined ? replies[0] : undefined);
  }
  return found;
}

/** The chains with these names, undefined for each that does not exist. @throws NetlinkError */
export function findChains(connection: Connection, names: readonly ChainName[]): (Chain | undefined)[] {
  const requests: Request[] = [];
  for (const name of names) requests.push(getChain(name));
  const chains: (Chain | undefined)[] = [];
  for (const reply of getEach(connection, requests)) chains.push(reply && decodeChain(reply));
  return chains;
}

/** The tables of iptables that this program uses. */
export type TableOfIptables = "filter" | "nat";

/** Whether x_tables has the table in this network namespace. Reading the table itself would create it. */
export function hasLegacyTable(family: Family, table: TableOfIptables): boolean {
  try {
    const names = readText(`/proc/thread-self/net/${family === 4 ? "ip" : "ip6"}_tables_names`);
    return names.split("\n").includes(table);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}
