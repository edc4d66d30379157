/** Finds the check of an attachment by its names alone (G5). */
import type { Connection, Request } from "../../netlink/connection.ts";
import { type Chain, decodeChain, deleteChain, getChain } from "../../netlink/nftables/chain.ts";
import {
  decodeRule,
  deleteRule,
  flushChain,
  getRule,
  type Rule,
  type RuleHandle,
} from "../../netlink/nftables/rule.ts";
import { leadsTo } from "../expressions.ts";
import { ask, rulesIn } from "../kernel.ts";
import type { Owner } from "../owner.ts";
import { chainsOf, PREROUTING, RULE_BEHIND_CHAIN } from "./layout.ts";

/** The rules of PREROUTING that lead into the port's chain, `count` of them by what the kernel says. */
function jumpsTo(connection: Connection, chain: Chain, count: number): (Rule & RuleHandle)[] {
  if (count <= 0) return [];
  const leads = (rule: Rule): boolean => leadsTo(rule, chain.chain);
  if (count === 1 && chain.handle !== undefined) {
    const guess = getRule({ ...PREROUTING, handle: chain.handle + RULE_BEHIND_CHAIN });
    const found = ask(connection, [guess]).flatMap((replies) => replies.map((reply) => decodeRule(reply)));
    if (found.some(leads)) return found;
  }
  return rulesIn(connection, PREROUTING, leads);
}

/** What there is of a spoof check: its chains with their rules, and the rules that lead there. */
export function find(connection: Connection, owner: Omit<Owner, "network">) {
  const names = chainsOf(owner);
  const [port, macs] = ask(connection, names.map(getChain)).map(([reply]) => reply && decodeChain(reply));
  const rules = [port, macs].flatMap((chain) => (chain === undefined ? [] : rulesIn(connection, chain)));
  const inPort = rules.filter(({ chain }) => chain === port?.chain).length;
  const jumps = port === undefined ? [] : jumpsTo(connection, port, (port.use ?? 0) - inPort);
  return { port, macs, rules, jumps };
}

/** Takes away all of it; the last chain goes last, when no rule leads there any more. */
export function removal(connection: Connection, owner: Omit<Owner, "network">): Request[] {
  const { port, macs, jumps } = find(connection, owner);
  return [
    ...jumps.map((rule) => deleteRule(rule)),
    ...[port, macs].flatMap((chain) => (chain === undefined ? [] : [flushChain(chain), deleteChain(chain)])),
  ];
}
