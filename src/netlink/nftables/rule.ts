/** Rules: NFTA_RULE_* of uapi linux/netfilter/nf_tables.h. */
import {
  present,
  putBytes,
  putNested,
  putRaw,
  putString,
  putU32be,
  putU64be,
  type RawAttribute,
} from "../attribute.ts";
import type { ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";
import { type ChainName, describeChain } from "./chain.ts";
import { type Expression, putExpressions, readExpressions } from "./expression/expression.ts";
import { decodeHeader, messageType, request, required } from "./header.ts";
import type { TableName } from "./table.ts";
import { decodeUserData, encodeUserData, type UserDatum } from "./userdata.ts";

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_HANDLE = 3;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_COMPAT = 5;
const NFTA_RULE_POSITION = 6;
const NFTA_RULE_USERDATA = 7;
const NFTA_RULE_COMPAT_PROTO = 1;
const NFTA_RULE_COMPAT_FLAGS = 2;

/** What names a rule: the kernel's number for it, which is never given out twice while the table lives. */
export interface RuleHandle extends ChainName {
  readonly handle: bigint;
}

export interface Rule extends ChainName {
  readonly expressions: readonly Expression[];
  readonly userData?: readonly UserDatum[];
  /** iptables-nft sends this with each rule: layer-4 protocol and flags for x_tables extensions. Only encoded. */
  readonly compat?: { readonly protocol: number; readonly flags: number };
  /** Only decoded. */
  readonly handle?: bigint;
  /** Handle of the rule before it. Only decoded. */
  readonly position?: bigint;
  /** Attributes that the decoder does not know. */
  readonly unknown?: readonly RawAttribute[];
}

/** Adds a rule at the end of its chain. */
export const addRule = (rule: Rule): Request =>
  request(
    `add a rule to ${describeChain(rule)}`,
    messageType.newRule,
    rule.family,
    flag.create | flag.append,
    (writer) => putRule(writer, rule),
  );

/** Adds a rule at the beginning of its chain. */
export const insertRule = (rule: Rule): Request =>
  request(
    `insert a rule into ${describeChain(rule)}`,
    messageType.newRule,
    rule.family,
    flag.create,
    (writer) => putRule(writer, rule),
  );

function putRule(writer: ByteWriter, rule: Rule): void {
  putString(writer, NFTA_RULE_TABLE, rule.table);
  putString(writer, NFTA_RULE_CHAIN, rule.chain);
  putExpressions(writer, NFTA_RULE_EXPRESSIONS, rule.expressions);
  const { compat } = rule;
  if (compat !== undefined) {
    putNested(writer, NFTA_RULE_COMPAT, (body) => {
      putU32be(body, NFTA_RULE_COMPAT_PROTO, compat.protocol);
      putU32be(body, NFTA_RULE_COMPAT_FLAGS, compat.flags);
    });
  }
  putBytes(writer, NFTA_RULE_USERDATA, encodeUserData(rule.userData));
  putRaw(writer, rule.unknown);
}

/** Deletes one rule; ENOENT when it is gone. */
export const deleteRule = (rule: RuleHandle): Request =>
  request(
    `delete rule ${rule.handle} of ${describeChain(rule)}`,
    messageType.deleteRule,
    rule.family,
    0,
    (writer) => {
      putString(writer, NFTA_RULE_TABLE, rule.table);
      putString(writer, NFTA_RULE_CHAIN, rule.chain);
      putU64be(writer, NFTA_RULE_HANDLE, rule.handle);
    },
  );

/** Deletes all rules of a chain. */
export const flushChain = (chain: ChainName): Request =>
  request(`flush ${describeChain(chain)}`, messageType.deleteRule, chain.family, 0, (writer) => {
    putString(writer, NFTA_RULE_TABLE, chain.table);
    putString(writer, NFTA_RULE_CHAIN, chain.chain);
  });

/** Asks for one rule; ENOENT when there is none. */
export const getRule = (rule: RuleHandle): Request =>
  request(
    `find rule ${rule.handle} of ${describeChain(rule)}`,
    messageType.getRule,
    rule.family,
    0,
    (writer) => {
      putString(writer, NFTA_RULE_TABLE, rule.table);
      putString(writer, NFTA_RULE_CHAIN, rule.chain);
      putU64be(writer, NFTA_RULE_HANDLE, rule.handle);
    },
  );

/** Asks for the rules of a chain, or of all chains of a table, in their order. Costs some 3 µs a rule. */
export const dumpRules = (where: TableName & { readonly chain?: string }): Request =>
  request(
    `list the rules of table ${where.family} ${where.table}`,
    messageType.getRule,
    where.family,
    0,
    (writer) => {
      putString(writer, NFTA_RULE_TABLE, where.table);
      putString(writer, NFTA_RULE_CHAIN, where.chain);
    },
  );

/** @throws DecodeError */
export function decodeRule(message: Message): Rule & RuleHandle {
  const { family, attributes } = decodeHeader(message);
  return {
    family,
    table: required(attributes.string(NFTA_RULE_TABLE), "table name"),
    chain: required(attributes.string(NFTA_RULE_CHAIN), "chain name"),
    handle: required(attributes.u64be(NFTA_RULE_HANDLE), "rule handle"),
    expressions: readExpressions(attributes, NFTA_RULE_EXPRESSIONS),
    ...present({
      position: attributes.u64be(NFTA_RULE_POSITION),
      userData: decodeUserData(attributes.bytes(NFTA_RULE_USERDATA)),
    }),
    unknown: attributes.unread(),
  };
}
