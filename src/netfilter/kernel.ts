/** The way to the kernel's tables, and what their absence looks like. */
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

/** What to say where `openNftables` gives none. */
export const NO_NFTABLES = "this kernel has no nf_tables";

/** Whether `error` says that the kernel has no nf_tables for this family: then it has no such rules either. */
export function isUnsupported(error: unknown): boolean {
  return refusedWith(error, "EAFNOSUPPORT", "EOPNOTSUPP", "EPROTONOSUPPORT");
}

/**
 * Opens a connection in the thread's network namespace; undefined on a kernel without nf_tables. Closing it waits until
 * the kernel has freed what was deleted through it, some 15 ms: a caller with more to wait for does that before.
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
    // Only the kernel's own word counts (EINVAL: no such subsystem): any other failure would leave rules behind.
    if (failedWith(error, "EPROTONOSUPPORT") || refusedWith(error, "EINVAL") || isUnsupported(error))
      return undefined;
    const remedy = permissionRemedy(error);
    throw toCniError(error).during(`cannot look at nf_tables${remedy === undefined ? "" : ` (${remedy})`}`);
  }
}

/** What to do about a refusal for lack of rights; undefined for any other error. */
export function permissionRemedy(error: unknown): string | undefined {
  return refusedWith(error, "EPERM")
    ? "the plugin needs CAP_NET_ADMIN in the host's network namespace: run it as root"
    : undefined;
}

/** The reply to each question, undefined where what it asks for is not there. @throws NetlinkError */
export function ask(connection: Connection, questions: readonly Request[]): (Message | undefined)[] {
  const found: (Message | undefined)[] = [];
  for (const { error, replies } of connection.getAll(questions)) {
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
    found.push(error === undefined ? replies[0] : undefined);
  }
  return found;
}

/** The chains of these names, undefined where there is none. @throws NetlinkError */
export function findChains(connection: Connection, names: readonly ChainName[]): (Chain | undefined)[] {
  const questions: Request[] = [];
  for (const name of names) questions.push(getChain(name));
  const chains: (Chain | undefined)[] = [];
  for (const reply of ask(connection, questions)) chains.push(reply && decodeChain(reply));
  return chains;
}

/** Whether x_tables has a nat table in this network namespace: asking the table itself would make it. */
export function hasLegacyTable(family: Family): boolean {
  try {
    const names = readText(`/proc/thread-self/net/${family === 4 ? "ip" : "ip6"}_tables_names`);
    return names.split("\n").includes("nat");
  } catch (error) {
    if (failedWith(error, "ENOENT")) return false;
    throw error;
  }
}
