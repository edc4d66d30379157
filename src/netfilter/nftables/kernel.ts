/** The way to nf_tables, and what its absence looks like. */
import { toCniError } from "../../cni/error.ts";
import { Connection, type Request } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import type { Message } from "../../netlink/message.ts";
import { currentGeneration } from "../../netlink/nftables/batch.ts";
import { type Chain, type ChainName, decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import { failedWith } from "../../sys/errno.ts";

/**
 * Opens a connection in the thread's network namespace.
 * @throws SystemError, EPROTONOSUPPORT on a kernel without netfilter's netlink.
 */
export const openNetfilter = (): Connection => new Connection(new NetlinkSocket(protocol.netfilter));

/** Whether `error` says that the kernel has no nf_tables for this family: then it has no such rules either. */
export const isUnsupported = (error: unknown): boolean =>
  refusedWith(error, "EAFNOSUPPORT", "EOPNOTSUPP", "EPROTONOSUPPORT");

/**
 * Opens a connection in the thread's network namespace; undefined on a kernel without nf_tables. Closing it waits until
 * the kernel has freed what was deleted through it, some 15 ms: whoever has more to wait for does that before.
 * @throws CniError
 */
export function openNftables(): Connection | undefined {
  let connection: Connection | undefined;
  try {
    connection = openNetfilter();
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
export const permissionRemedy = (error: unknown): string | undefined =>
  refusedWith(error, "EPERM")
    ? "the plugin needs CAP_NET_ADMIN in the host's network namespace: run it as root"
    : undefined;

/** The reply to each question, undefined where what it asks for is not there. @throws NetlinkError */
export function ask(connection: Connection, questions: readonly Request[]): (Message | undefined)[] {
  const found: (Message | undefined)[] = [];
  for (const { error, replies } of connection.askAll(questions)) {
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
    found.push(error === undefined ? replies[0] : undefined);
  }
  return found;
}

/** The chains of these names, undefined where there is none. @throws NetlinkError */
export const findChains = (connection: Connection, names: readonly ChainName[]): (Chain | undefined)[] =>
  ask(connection, names.map(getChain)).map((reply) => reply && decodeChain(reply));

/** As Connection.dump; nothing where what it is about is not there: some kernels refuse that. @throws NetlinkError */
export function dump<T>(
  connection: Connection,
  question: Request,
  keep: (message: Message) => T | undefined,
): T[] {
  try {
    return connection.dump(question, keep);
  } catch (error) {
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}
