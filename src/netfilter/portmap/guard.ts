/**
 * The guard of 127.0.0.0/8 (M53). Connections of the host to 127.0.0.1 reach a container only with the setting
 * route_localnet of the interface that leads there. With it the kernel also takes packets for 127.0.0.0/8 that arrive
 * there, so a container could reach services that listen on the host's 127.0.0.1. The guard drops such packets.
 *
 * It is a table of its own, for all backends. Each interface has a chain that drops, and each attachment a chain with one
 * rule that leads there, which no packet reaches: the kernel's count of these rules is the number of attachments. With the
 * last one the interface's chain goes, and the setting if this program has made it.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import {
  addChain,
  type Chain,
  type ChainName,
  decodeChain,
  deleteChain,
  dumpChains,
  hookNumber,
} from "../../netlink/nftables/chain.ts";
import { addRule, deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { addTable, deleteTable } from "../../netlink/nftables/table.ts";
import { comment, commentOf, text, textOf } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, networkMark } from "../attachment-names.ts";
import { findChains } from "../kernel.ts";
import { datumType, madeHere } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { having, rulesIn } from "../nftables/found-rules.ts";
import { type FoundRule, isSame, type Rule } from "../rule.ts";
import { type GuardLock, settingOf } from "./guard-lock.ts";

const TABLE = { family: "ip", table: "cni_hostport_guard" } as const;
/** The entry, before connection tracking: priority -300 is nft's `raw`. */
const ENTRY = {
  ...TABLE,
  chain: "prerouting",
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
} as const;

const LOOPBACK = {
  prefix: { address: { family: 4, value: 127n << 24n }, length: 8 },
  inverted: false,
} as const;
const DROPS: readonly Rule[] = [
  { source: LOOPBACK, verdict: "drop" },
  { destination: LOOPBACK, verdict: "drop" },
];

/** Begins the comment on an interface's chain. nft saves and loads it, but no user data of ours. */
const WAS = "route_localnet was ";

const USER = "attachment-";
const INTERFACE = "interface-";

const userChain = (mark: string) => ({ ...TABLE, chain: `${USER}${mark}` });

/** nft reads only such names of chains; another interface gets a chain by the digits of its name. */
const interfaceChain = (device: string) => ({
  ...TABLE,
  chain: `${INTERFACE}${/^[\w.-]+$/.test(device) ? device : new TextEncoder().encode(device).toHex()}`,
});

/**
 * The requests that put the guard before an interface for an attachment; none if it is there, undefined if the lock is needed
 * first. @throws NetlinkError
 */
export function guardRequests(
  connection: Connection,
  attachment: Attachment,
  device: string,
  lock: GuardLock,
): Request[] | undefined {
  const user = userChain(attachmentMark(attachment));
  const own = interfaceChain(device);
  const [entry, drops, present] = findChains(connection, [ENTRY, own, user]);
  const requests =
    entry === undefined ? [addTable({ ...TABLE, userData: [comment("CNI portmap plugin"), madeHere] })] : [];
  if (entry === undefined) requests.push(addChain(ENTRY));
  if (drops === undefined) {
    if (!lock.isHeld()) return undefined;
    // The value that the last DEL gives back.
    const before = settingOf(device) ?? "1";
    const userData = [comment(WAS + before), text(datumType.owner, `${before}\n${device}`)];
    requests.push(addChain({ ...own, userData }));
  }
  // Another program may have flushed a chain.
  if (drops === undefined || !isDropping(connection, own)) {
    if (drops !== undefined) requests.push(flushChain(own));
    for (const rule of DROPS)
      requests.push(addRule({ ...own, expressions: encodeRule(rule, "ip", { isNative: true }) }));
  }
  if (entry === undefined || drops === undefined || !isLed(connection, device)) {
    const lead: Rule = { input: device, verdict: "jump", target: own.chain };
    requests.push(addRule({ ...named(ENTRY), expressions: encodeRule(lead, "ip", { isNative: true }) }));
  }
  if (present !== undefined) {
    const [rule] = rulesIn(connection, user);
    if (rule?.target === own.chain) return requests;
    // The container moved to another interface.
    const leaving = leaveRequests(connection, [present], lock);
    return leaving && [...leaving, ...requests, ...userRequests(user, own.chain)];
  }
  return [...requests, ...userRequests(user, own.chain)];
}

const named = ({ family, table, chain }: typeof ENTRY) => ({ family, table, chain });

const userRequests = (user: ReturnType<typeof userChain>, target: string): Request[] => [
  addChain(user),
  addRule({ ...user, expressions: encodeRule({ verdict: "jump", target }, "ip", { isNative: true }) }),
];

/** Whether an interface's chain drops what the guard is against. */
const isDropping = (connection: Connection, chain: ChainName): boolean => {
  const rules = rulesIn(connection, chain);
  return DROPS.every((wanted) => rules.some(({ rule }) => isSame(rule, wanted)));
};

/** Whether the entry leads packets of an interface into its chain. */
const isLed = (connection: Connection, device: string): boolean =>
  rulesIn(connection, ENTRY, undefined, having([device])).some(
    ({ rule }) => rule?.input === device && rule.target === interfaceChain(device).chain,
  );

/** The guard's part of CHECK: what is missing, in words. @throws NetlinkError */
export const missingGuard = (connection: Connection, device: string): string[] =>
  isLed(connection, device) && isDropping(connection, interfaceChain(device))
    ? []
    : [`table ip ${TABLE.table} does not drop packets from ${device} with addresses of 127.0.0.0/8`];

/** The chains of attachments, of one or of all of a network. @throws NetlinkError */
export function findUsers(connection: Connection, of: Attachment | { readonly network: string }): Chain[] {
  if ("ifname" in of)
    return findChains(connection, [userChain(attachmentMark(of))]).flatMap((chain) => chain ?? []);
  const prefix = USER + networkMark(of.network);
  return connection
    .dump(dumpChains("ip"), decodeChain)
    .filter(({ table, chain }) => table === TABLE.table && chain.startsWith(prefix));
}

/** The mark of the attachment of a chain that `findUsers` has found. */
export const markOfUser = ({ chain }: Chain): string => chain.slice(USER.length);

/**
 * The requests that remove attachments from the guard. Gives back the settings of interfaces that no attachment needs any more.
 * Undefined if the lock is needed first. @throws NetlinkError, SystemError
 */
export function leaveRequests(
  connection: Connection,
  users: readonly Chain[],
  lock: GuardLock,
): Request[] | undefined {
  const requests: Request[] = [];
  const leaving = new Map<string, number>();
  for (const user of users) {
    for (const { target } of rulesIn(connection, user))
      if (target !== undefined) leaving.set(target, (leaving.get(target) ?? 0) + 1);
    requests.push(flushChain(user), deleteChain(user));
  }
  const ending = new Map<string, string>();
  const [entry, ...interfaces] = findChains(connection, [
    ENTRY,
    ...[...leaving.keys()].map((chain) => ({ ...TABLE, chain })),
  ]);
  const leads = interfaces.some((found) => found !== undefined) ? rulesIn(connection, ENTRY) : [];
  let ended = 0;
  for (const found of interfaces) {
    if (found === undefined) continue;
    // Its own rules, those of the entry, and those of attachments use it.
    const own = leads.filter(({ target }) => target === found.chain);
    const users = (found.use ?? 0) - rulesIn(connection, found).length - own.length;
    if (users > (leaving.get(found.chain) ?? 0)) continue;
    const before = settingBefore(found, own);
    // Without the guard, a setting that cannot be given back would leave 127.0.0.0/8 open.
    if (before === undefined) continue;
    for (const rule of own) requests.push(deleteRule(rule));
    requests.push(flushChain(found), deleteChain(found));
    ended += own.length;
    ending.set(before.device, before.value);
  }
  if (ending.size > 0 && !lock.isHeld()) return undefined;
  lock.giveBack(ending);
  if (entry !== undefined && ending.size > 0 && leads.length === ended) requests.push(deleteTable(TABLE));
  return requests;
}

/** The interface of a chain and its setting before the guard; undefined if that is not known any more. */
function settingBefore(
  { userData }: Chain,
  leads: readonly FoundRule[],
): { device: string; value: string } | undefined {
  const [value, device] = textOf(userData, datumType.owner)?.split("\n") ?? [];
  if (value !== undefined && device !== undefined) return { device, value };
  const words = commentOf(userData) ?? "";
  const input = leads[0]?.input;
  return words.startsWith(WAS) && input !== undefined
    ? { device: input, value: words.slice(WAS.length) }
    : undefined;
}
