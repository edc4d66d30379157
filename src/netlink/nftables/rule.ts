/** Schema and requests of rules: NFTA_RULE_* of uapi linux/netfilter/nf_tables.h. */
import type { Request } from "../connection.ts";
import { decode, decodePart } from "../decode.ts";
import { flag, type Message } from "../message.ts";
import {
  BE32,
  BE64,
  BYTES,
  CUSTOM,
  EACH,
  type Fields,
  INLINE,
  NEST,
  nest,
  STRING,
  schema,
} from "../schema.ts";
import { type ChainName, describeChain } from "./chain.ts";
import { decodeExpression, EXPRESSION, type Expression, encodeExpression } from "./expression.ts";
import { messageType, NFGENMSG, request } from "./header.ts";
import type { TableName } from "./table.ts";
import { USER_DATA } from "./userdata.ts";

/** NFTA_RULE_EXPRESSIONS. */
const EXPRESSIONS = [4, "", INLINE, nest([[1, "expressions", EACH, EXPRESSION]])] as const;

export const RULE = schema(
  4,
  NFGENMSG,
  [
    [1, "table", STRING],
    [2, "chain", STRING],
    [3, "handle", BE64],
    EXPRESSIONS,
    // iptables-nft sends the layer-4 protocol and flags for x_tables extensions with each rule. Only encoded.
    [
      5,
      "compat",
      NEST,
      nest([
        [1, "protocol", BE32],
        [2, "flags", BE32],
      ]),
    ],
    [7, "userData", CUSTOM, USER_DATA],
    // Handle of the rule before it. Only decoded.
    [6, "position", BE64],
  ],
  ["table", "chain", "handle"],
);
type Attributes = Fields<typeof RULE>;

/** The parts of a rule: what takes long to decode, and the rest. */
const BODY = schema(4, NFGENMSG, [EXPRESSIONS]);
const HEAD = schema(
  4,
  NFGENMSG,
  [
    [1, "table", STRING],
    [2, "chain", STRING],
    [3, "handle", BE64],
    [7, "userData", BYTES],
  ],
  ["table", "chain", "handle"],
);

/** A rule by the kernel's number for it, which is not reused while the table exists. */
export interface RuleHandle extends ChainName {
  readonly handle: bigint;
}

export interface Rule extends ChainName, Pick<Attributes, "compat" | "userData" | "position" | "unknown"> {
  readonly expressions: readonly Expression[];
  /** Only decoded. */
  readonly handle?: bigint;
}

const addition = (action: string, flags: number, rule: Rule): Request =>
  request(action, messageType.newRule, flags, RULE, {
    family: rule.family,
    table: rule.table,
    chain: rule.chain,
    expressions: rule.expressions.map(encodeExpression),
    compat: rule.compat,
    userData: rule.userData,
    unknown: rule.unknown,
  });

/** Adds a rule at the end of its chain. */
export const addRule = (rule: Rule): Request =>
  addition(`add a rule to ${describeChain(rule)}`, flag.create | flag.append, rule);

/** Adds a rule at the beginning of its chain. */
export const insertRule = (rule: Rule): Request =>
  addition(`insert a rule into ${describeChain(rule)}`, flag.create, rule);

/** A request about one rule, all rules of a chain, or all of a table. */
const named = (
  action: string,
  type: number,
  { family, table, chain, handle }: TableName & Partial<RuleHandle>,
): Request => request(action, type, 0, RULE, { family, table, chain, handle });

/** Deletes one rule; ENOENT when it does not exist. */
export const deleteRule = (rule: RuleHandle): Request =>
  named(`delete rule ${rule.handle} of ${describeChain(rule)}`, messageType.deleteRule, rule);

/** Deletes all rules of a chain. */
export const flushChain = ({ family, table, chain }: ChainName): Request =>
  named(`flush ${describeChain({ family, table, chain })}`, messageType.deleteRule, { family, table, chain });

/** Gets one rule; ENOENT when it does not exist. */
export const getRule = (rule: RuleHandle): Request =>
  named(`find rule ${rule.handle} of ${describeChain(rule)}`, messageType.getRule, rule);

/** Lists the rules of a chain, or of all chains of a table, in their order. Costs some 3 µs per rule. */
export const dumpRules = ({ family, table, chain }: TableName & { readonly chain?: string }): Request =>
  request(`list the rules of table ${family} ${table}`, messageType.getRule, 0, RULE, {
    family,
    table,
    chain,
  });

/** @throws DecodeError */
export function decodeRule({ payload }: Message): Rule & RuleHandle {
  const { expressions = [], ...rule } = decode(RULE, payload);
  return { ...rule, expressions: expressions.map(decodeExpression) };
}

/** What identifies a rule, and its user data as bytes. @throws DecodeError */
export const decodeRuleHead = ({ payload }: Pick<Message, "payload">) => decodePart(HEAD, payload);

/** What a rule does, and the family of its table. @throws DecodeError */
export function decodeRuleBody({ payload }: Pick<Message, "payload">) {
  const { family, expressions = [] } = decodePart(BODY, payload);
  return { family, expressions: expressions.map(decodeExpression) };
}
