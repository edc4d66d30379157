/** Changes of a table of iptables-nft as messages to nf_tables. */
import type { Request } from "../../netlink/connection.ts";
import { addChain, deleteChain } from "../../netlink/nftables/chain.ts";
import type { Expression } from "../../netlink/nftables/expression.ts";
import { addRule, deleteRule, flushChain, insertRule } from "../../netlink/nftables/rule.ts";
import { addTable, type TableName } from "../../netlink/nftables/table.ts";
import { text } from "../../netlink/nftables/userdata.ts";
import { attachmentMark } from "../attachment-names.ts";
import { datumType, madeHere, type OwnChain } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { RuleStencils } from "../nftables/rule-stencils.ts";
import { PROTOCOLS, type Rule } from "../rule.ts";
import type { Change } from "./change.ts";

/** Expressions of nf_tables, and the requests that add the sets that they look up. */
export interface Conditions {
  readonly expressions: readonly Expression[];
  readonly requests: readonly Request[];
}

/** A published port has so many rules, each of another shape. */
const SHAPES = 3;
const isOfPort = (change: Change): boolean => "rule" in change && "port" in change.rule;

/**
 * The messages for `changes`. They add the table, and as iptables-nft does, those of the missing base chains that get a
 * rule: a base chain can be missing although others of the table exist, since a DEL removes an empty one.
 * @param more what a new rule also has to match
 */
export function requestsFor(
  { family, table }: TableName,
  changes: readonly Change[],
  missing: readonly OwnChain[],
  more: (rule: Rule) => Conditions | undefined = () => undefined,
): Request[] {
  if (changes.length === 0) return [];
  const requests = [addTable({ family, table, userData: [madeHere] })];
  for (const base of missing) {
    let isNeeded = false;
    for (const change of changes)
      if (change.action === "append" || change.action === "insert") isNeeded ||= change.chain === base.chain;
    if (isNeeded) requests.push(addChain(base));
  }
  const stencils = new RuleStencils(changes.filter(isOfPort).length / SHAPES);
  for (const change of changes) {
    switch (change.action) {
      case "add chain": {
        const { chain, userData } = change;
        requests.push(addChain({ family, table, chain, userData }, { exclusive: true }));
        break;
      }
      case "delete chain": {
        const { chain } = change;
        // Kernels before 4.13 only delete an empty chain.
        requests.push(flushChain({ family, table, chain }), deleteChain({ family, table, chain }));
        break;
      }
      case "delete": {
        const { chain, handle } = change.rule;
        if (handle !== undefined) requests.push(deleteRule({ family, table, chain, handle }));
        break;
      }
      default: {
        const { chain, rule, attachment, userData = [] } = change;
        const mark = attachment && [text(datumType.attachment, attachmentMark(attachment))];
        const conditions = more(rule);
        for (const request of conditions?.requests ?? []) requests.push(request);
        const encode = (own: Rule): Request => {
          const encoded = {
            family,
            table,
            chain,
            expressions: [...(conditions?.expressions ?? []), ...encodeRule(own, family)],
            userData: [...(mark ?? []), ...userData],
            compat: { protocol: own.protocol === undefined ? 0 : PROTOCOLS[own.protocol], flags: 0 },
          };
          return change.action === "append" ? addRule(encoded) : insertRule(encoded);
        };
        const isAlone = attachment !== undefined || conditions !== undefined;
        requests.push(isAlone ? encode(rule) : stencils.request(rule, change, encode));
      }
    }
  }
  return requests;
}
