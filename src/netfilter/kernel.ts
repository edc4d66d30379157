/** The way to nf_tables, and what its absence looks like. */
import { Connection, type Request } from "../netlink/connection.ts";
import { NetlinkError, refusedWith } from "../netlink/error.ts";
import type { Message } from "../netlink/message.ts";
import { currentGeneration } from "../netlink/nftables/batch.ts";
import type { ChainName } from "../netlink/nftables/chain.ts";
import { decodeRule, dumpRules, type Rule, type RuleHandle } from "../netlink/nftables/rule.ts";
import { NetlinkSocket, protocol } from "../netlink/socket.ts";
import { failedWith } from "../sys/errno.ts";

/**
 * Opens a connection in the thread's network namespace. Closing it waits until the kernel has freed what was deleted
 * through it, some 15 ms: whoever has more to do does that before.
 * @throws SystemError, EPROTONOSUPPORT on a kernel without netfilter's netlink.
 */
export const openNetfilter = (): Connection => new Connection(new NetlinkSocket(protocol.netfilter));

/** Whether `error` says that something is not there: the object, or its table. */
const isAbsent = (error: unknown): boolean => refusedWith(error, "ENOENT");

/** Whether `error` says that the kernel has no nf_tables, or not for this family: then it has no such rules either. */
export const isUnsupported = (error: unknown): boolean =>
  failedWith(error, "EPROTONOSUPPORT", "EAFNOSUPPORT") ||
  // nfnetlink answers EINVAL for a subsystem that it does not know, nf_tables EAFNOSUPPORT or EOPNOTSUPP for a family.
  refusedWith(error, "EAFNOSUPPORT", "EOPNOTSUPP", "EPROTONOSUPPORT");

/** Whether the kernel has nf_tables. @throws SystemError */
export function supportsNftables(connection: Connection): boolean {
  try {
    currentGeneration(connection);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError) return false;
    throw error;
  }
}

/** A connection, or undefined on a kernel without netfilter's netlink. @throws SystemError for any other failure */
export function openNetfilterIfAny(): Connection | undefined {
  try {
    return openNetfilter();
  } catch (error) {
    if (failedWith(error, "EPROTONOSUPPORT")) return undefined;
    throw error;
  }
}

/** Replies to each question, none where what it asks for is not there. @throws NetlinkError */
export function ask(connection: Connection, questions: readonly Request[]): (readonly Message[])[] {
  return connection.callAll(questions).map(({ error, replies }) => {
    if (error !== undefined && !isAbsent(error)) throw error;
    return error === undefined ? replies : [];
  });
}

/** All messages of a dump, none where what it is about is not there: some kernels refuse that. @throws NetlinkError */
export function dump(connection: Connection, question: Request): readonly Message[] {
  try {
    return connection.dump(question);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The rules of a chain in their order, none when it is not there. @throws NetlinkError */
export const rulesIn = (connection: Connection, chain: ChainName): (Rule & RuleHandle)[] =>
  dump(connection, dumpRules(chain)).map((message) => decodeRule(message));
