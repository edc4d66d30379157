/** Finds the parts of a bridge port's check, decides which are an attachment's own, and removes them (G5, K3). */
import type { Mac } from "../../net/mac.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { type Chain, deleteChain } from "../../netlink/nftables/chain.ts";
import { deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { getLink, type Link, linkOf } from "../../netlink/rtnetlink/link.ts";
import { macChain } from "../attachment-names.ts";
import { findChains } from "../kernel.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";
import { jumpsTo, type NftRule, rulesIn } from "../nftables/found-rules.ts";
import { remove } from "../nftables/own-tables.ts";
import type { FoundRule, Rule } from "../rule.ts";

const { family, table } = BRIDGE_PREROUTING;

/** The rules of a check by their chains, in the order in which they are added. */
export const rulesOf = (chain: string, input: string, mac: Mac): (readonly [chain: string, rule: Rule])[] => [
  [BRIDGE_PREROUTING.chain, { input, verdict: "jump", target: chain }],
  [chain, { verdict: "jump", target: macChain(chain) }],
  [macChain(chain), { mac, verdict: "return" }],
  [macChain(chain), { verdict: "drop" }],
];

/** Difference of handles: one transaction adds the port's chain, the address's chain, then the rule of PREROUTING. */
const RULE_AFTER_CHAIN = 2n;

/** The existing parts of a check. */
export interface FoundCheck {
  readonly chain: string;
  /** The chain of the port, and the chain that it jumps to, which checks the address. */
  readonly port: Chain | undefined;
  readonly macs: Chain | undefined;
  /** Of both chains. */
  readonly rules: readonly NftRule[];
  /** The rules of PREROUTING that lead into the port's chain. */
  readonly jumps: readonly NftRule[];
}

/** The existing parts of the checks with these names. All chains are read at once. @throws NetlinkError */
export function findChecks(connection: Connection, names: readonly string[]): FoundCheck[] {
  const all = names.flatMap((chain) => [chain, macChain(chain)]).map((chain) => ({ family, table, chain }));
  const chains = findChains(connection, all);
  return names.map((chain, index) => {
    const [port, macs] = chains.slice(2 * index, 2 * index + 2);
    const rules = [port, macs].flatMap((each) => (each === undefined ? [] : rulesIn(connection, each)));
    const first = port?.handle === undefined ? 0n : port.handle + RULE_AFTER_CHAIN;
    const jumps = port && jumpsTo(connection, BRIDGE_PREROUTING, chain, usersOf(port, rules), first);
    return { chain, port, macs, rules, jumps: jumps ?? [] };
  });
}

/** How many rules elsewhere lead into a chain. The kernel's count includes the chain's own rules. */
const usersOf = (chain: Chain, rules: readonly FoundRule[]): number =>
  (chain.use ?? 0) - rules.filter((rule) => rule.chain === chain.chain).length;

/**
 * Requests that delete these jumps, and each chain to which nothing leads without them; and whether that removes the
 * whole check. A chain may be part of another check too: chain "eth0-mac" belongs to the ports eth0 and eth0-mac.
 */
export function removal(
  { port, macs, rules }: FoundCheck,
  jumps: readonly NftRule[],
): { requests: Request[]; isComplete: boolean } {
  const portGoes = port !== undefined && usersOf(port, rules) <= jumps.length;
  const leadOn = rules.filter(({ chain, target }) => chain === port?.chain && macs && target === macs.chain);
  const macsGo = macs !== undefined && usersOf(macs, rules) <= (portGoes ? leadOn.length : 0);
  const chains = [...(portGoes ? [port] : []), ...(macsGo ? [macs] : [])];
  return {
    requests: [
      ...jumps.map(deleteRule),
      ...chains.flatMap((chain) => [flushChain(chain), deleteChain(chain)]),
    ],
    isComplete: portGoes === (port !== undefined) && macsGo === (macs !== undefined),
  };
}

/**
 * The jumps that are the attachment's own. A check belongs to the port that it names; the check of a port that is gone
 * serves no attachment. A jump that names no port was altered, and counts as own too.
 * @param mayTake whether a port that exists is the attachment's
 */
export function ownJumps(jumps: readonly NftRule[], mayTake: (port: Link) => boolean): NftRule[] {
  // The ports are read after the rules, since a port always exists before its check.
  const ports = presentLinks(jumps.flatMap(({ input }) => input || []));
  const others = new Set(ports.flatMap((link) => (mayTake(link) ? [] : [link.name])));
  return jumps.filter(({ input }) => !others.has(input || undefined));
}

function presentLinks(names: readonly string[]): Link[] {
  if (names.length === 0) return [];
  using rtnetlink = connect(protocol.route);
  return rtnetlink.getAll(names.map((name) => getLink({ name }))).flatMap(({ error, replies }) => {
    if (error !== undefined && !refusedWith(error, "ENODEV")) throw error;
    return linkOf(replies) ?? [];
  });
}

/** Removes an attachment's own parts of these checks. @throws NetlinkError; Error if a chain is in use */
export function removeOwn(
  connection: Connection,
  names: readonly string[],
  mayTake: (port: Link) => boolean,
): void {
  let held: string | undefined;
  remove(connection, BRIDGE_PREROUTING, () => {
    const checks = findChecks(connection, names);
    // A rule of another program may lead there. The chain of a port "…-mac" may be part of another check.
    held = checks.find(
      ({ chain, port, rules, jumps }) =>
        port !== undefined && !chain.endsWith(macChain("")) && usersOf(port, rules) > jumps.length,
    )?.chain;
    return checks.flatMap((check) => removal(check, ownJumps(check.jumps, mayTake)).requests);
  });
  if (held === undefined) return;
  throw new Error(`chain ${held} is busy: a rule of another program leads there; remove that rule`);
}
