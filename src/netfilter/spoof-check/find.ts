/** Finds the checks under an attachment's names, and what of them is its own (G5, K3). */
import type { Attachment } from "../../cni/attachment.ts";
import { Connection, type Request } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { type Chain, decodeChain, deleteChain, getChain } from "../../netlink/nftables/chain.ts";
import {
  decodeRule,
  deleteRule,
  flushChain,
  getRule,
  type Rule,
  type RuleHandle,
} from "../../netlink/nftables/rule.ts";
import { getLink, type Link, linkOf } from "../../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import {
  macChain,
  ownSpoofCheckNames,
  referenceSpoofCheckNames,
  type SpoofCheckNames,
} from "../attachment-names.ts";
import { leadsTo } from "../expressions.ts";
import { ask, rulesIn } from "../kernel.ts";
import { chainsOf, PREROUTING, portOf, RULE_BEHIND_CHAIN } from "./layout.ts";

type FoundRule = Rule & RuleHandle;

/** What there is under the names of a check. */
export interface FoundCheck {
  readonly names: Pick<SpoofCheckNames, "chain">;
  readonly port: Chain | undefined;
  readonly macs: Chain | undefined;
  /** Of both chains. */
  readonly rules: readonly FoundRule[];
  /** The rules of PREROUTING that lead into the port's chain. */
  readonly jumps: readonly FoundRule[];
}

/** The rules of PREROUTING that lead into the port's chain, `count` of them by what the kernel says. */
function jumpsTo(connection: Connection, chain: Chain, count: number): FoundRule[] {
  if (count <= 0) return [];
  const leads = (rule: Rule): boolean => leadsTo(rule, chain.chain);
  if (count === 1 && chain.handle !== undefined) {
    const guess = getRule({ ...PREROUTING, handle: chain.handle + RULE_BEHIND_CHAIN });
    const found = ask(connection, [guess]).flatMap((replies) => replies.map((reply) => decodeRule(reply)));
    if (found.some(leads)) return found;
  }
  return rulesIn(connection, PREROUTING, leads);
}

/** What there is under each of these names. All chains are asked for at once. */
export function find<T extends FoundCheck["names"]>(
  connection: Connection,
  wanted: readonly T[],
): (FoundCheck & { readonly names: T })[] {
  const questions = wanted.flatMap(({ chain }) => chainsOf(chain).map(getChain));
  const chains = ask(connection, questions).map(([reply]) => reply && decodeChain(reply));
  return wanted.map((names, index) => {
    const [port, macs] = chains.slice(2 * index, 2 * index + 2);
    const rules = [port, macs].flatMap((chain) => (chain === undefined ? [] : rulesIn(connection, chain)));
    const jumps = port === undefined ? [] : jumpsTo(connection, port, usersOf(port, rules));
    return { names, port, macs, rules, jumps };
  });
}

/** How many rules elsewhere lead into a chain: the kernel counts them with those that are in it. */
const usersOf = (chain: Chain, rules: readonly Rule[]): number =>
  (chain.use ?? 0) - rules.filter((rule) => rule.chain === chain.chain).length;

/** The names that an attachment's check may have. */
export const namesOf = (attachment: Attachment): SpoofCheckNames[] => {
  const reference = referenceSpoofCheckNames(attachment);
  return [...(reference === undefined ? [] : [reference]), ownSpoofCheckNames(attachment)];
};

/** What takes a check away. */
export interface Removal {
  readonly requests: readonly Request[];
  /** Whether nothing is left under its names then. */
  readonly isComplete: boolean;
}

/**
 * Deletes these jumps, and each chain that nothing leads to without them. A chain may be another check's too: the one
 * behind that of port "eth0" is that of port "eth0-mac".
 */
export function removal({ port, macs, rules }: FoundCheck, jumps: readonly RuleHandle[]): Removal {
  const portGoes = port !== undefined && usersOf(port, rules) <= jumps.length;
  const leadOn = rules.filter((rule) => rule.chain === port?.chain && macs && leadsTo(rule, macs.chain));
  const macsGo = macs !== undefined && usersOf(macs, rules) <= (portGoes ? leadOn.length : 0);
  const chains = [...(portGoes ? [port] : []), ...(macsGo ? [macs] : [])];
  return {
    requests: [
      ...jumps.map((rule) => deleteRule(rule)),
      ...chains.flatMap((chain) => [flushChain(chain), deleteChain(chain)]),
    ],
    isComplete: portGoes === (port !== undefined) && macsGo === (macs !== undefined),
  };
}

/**
 * Whether a rule that is not a check's leads into the port's chain; the chain of a port "…-mac" may be another check's.
 */
export const isHeld = ({ port, rules, jumps }: FoundCheck): boolean =>
  port !== undefined && !port.chain.endsWith(macChain("")) && usersOf(port, rules) > jumps.length;

/**
 * The jumps that are the attachment's own: a check belongs to the port that it is about. What is about a port that is
 * gone serves no one any more. What its rule does not name was altered, and goes too.
 * @param mayTake whether a port that exists is the attachment's
 */
export function ownJumps(jumps: readonly FoundRule[], mayTake: (port: Link) => boolean): FoundRule[] {
  if (jumps.length === 0) return [];
  const ports = jumps.flatMap((rule) => portOf(rule) ?? []);
  // Looked for after the rules were read: a port is always there before its check.
  const others = new Set(presentLinks(ports).flatMap((link) => (mayTake(link) ? [] : [link.name])));
  return jumps.filter((rule) => !others.has(portOf(rule)));
}

function presentLinks(names: readonly string[]): Link[] {
  using rtnetlink = new Connection(new NetlinkSocket(protocol.route));
  return rtnetlink.askAll(names.map((name) => getLink({ name }))).flatMap(({ error, replies }) => {
    if (error !== undefined && !refusedWith(error, "ENODEV")) throw error;
    return linkOf(replies) ?? [];
  });
}
