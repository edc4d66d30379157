/** The way to nf_tables, and what its absence looks like. */
import { toCniError } from "../cni/error.ts";
import { Connection, type Request } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import type { Message } from "../netlink/message.ts";
import { currentGeneration } from "../netlink/nftables/batch.ts";
import type { ChainName } from "../netlink/nftables/chain.ts";
import { decodeRule, dumpRules, type Rule, type RuleHandle } from "../netlink/nftables/rule.ts";
import { NetlinkSocket, protocol } from "../netlink/socket.ts";
import { failedWith } from "../sys/errno.ts";

/**
 * Opens a connection in the thread's network namespace.
 * @throws SystemError, EPROTONOSUPPORT on a kernel without netfilter's netlink.
 */
export const openNetfilter = (): Connection => new Connection(new NetlinkSocket(protocol.netfilter));

/** Whether `error` says that something is not there: the object, or its table. */
const isAbsent = (error: unknown): boolean => refusedWith(error, "ENOENT");

/** Whether `error` says that the kernel has no nf_tables for this family: then it has no such rules either. */
export const isUnsupported = (error: unknown): boolean =>
  refusedWith(error, "EAFNOSUPPORT", "EOPNOTSUPP", "EPROTONOSUPPORT");

/**
 * Whether the kernel at the other end has nf_tables. Only its own word counts that it has not (EINVAL: no such
 * subsystem): treating every failure as that would leave rules behind.
 */
function hasNftables(connection: Connection): boolean {
  try {
    currentGeneration(connection);
    return true;
  } catch (error) {
    if (refusedWith(error, "EINVAL") || isUnsupported(error)) return false;
    throw error;
  }
}

/** The connection, if its kernel has nf_tables. @throws NetlinkError */
export const ifNftables = (connection: Connection | undefined): Connection | undefined =>
  connection !== undefined && hasNftables(connection) ? connection : undefined;

/**
 * Opens a connection in the thread's network namespace; undefined on a kernel without nf_tables. Closing it waits until
 * the kernel has freed what was deleted through it, some 15 ms: whoever has more to wait for does that before.
 * @throws CniError
 */
export function openNftables(): Connection | undefined {
  let connection: Connection | undefined;
  try {
    connection = openNetfilter();
    if (hasNftables(connection)) return connection;
  } catch (error) {
    connection?.[Symbol.dispose]();
    if (failedWith(error, "EPROTONOSUPPORT")) return undefined;
    const remedy = permissionRemedy(error);
    throw toCniError(error).during(`cannot look at nf_tables${remedy === undefined ? "" : ` (${remedy})`}`);
  }
  connection[Symbol.dispose]();
  return undefined;
}

/** Replies to each question, none where what it asks for is not there. @throws NetlinkError */
export function ask(connection: Connection, questions: readonly Request[]): (readonly Message[])[] {
  return connection.askAll(questions).map(({ error, replies }) => {
    if (error !== undefined && !isAbsent(error)) throw error;
    return error === undefined ? replies : [];
  });
}

/** As Connection.dump; nothing where what it is about is not there: some kernels refuse that. @throws NetlinkError */
export function dump<T>(
  connection: Connection,
  question: Request,
  keep: (message: Message) => T | undefined,
): T[] {
  try {
    return connection.dump(question, keep);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The rules of a chain in their order, none when it is not there; or those wanted of them. @throws NetlinkError */
export const rulesIn = (
  connection: Connection,
  chain: ChainName,
  isWanted: (rule: Rule) => boolean = () => true,
): (Rule & RuleHandle)[] =>
  dump(connection, dumpRules(chain), (message) => {
    const rule = decodeRule(message);
    return isWanted(rule) ? rule : undefined;
  });

const latin1 = new TextDecoder("latin1");

/** Whether the bytes of a message contain an ASCII text: cheaper than decoding thousands of rules. */
export const holds = ({ payload }: Message, text: string): boolean => latin1.decode(payload).includes(text);

/** Of a chain's rules whose messages hold a text, such as an attachment's comment, those wanted. @throws NetlinkError */
export const rulesHolding = (
  connection: Connection,
  chain: ChainName,
  text: string,
  isWanted: (rule: Rule) => boolean,
): (Rule & RuleHandle)[] =>
  dump(connection, dumpRules(chain), (message) => {
    if (!holds(message, text)) return undefined;
    const rule = decodeRule(message);
    return isWanted(rule) ? rule : undefined;
  });

/** What to do about a refusal for lack of rights; undefined for any other error. */
export const permissionRemedy = (error: unknown): string | undefined =>
  refusedWith(error, "EPERM")
    ? "the plugin needs CAP_NET_ADMIN in the host's network namespace: run it as root"
    : undefined;
