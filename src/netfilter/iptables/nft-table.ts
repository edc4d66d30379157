/**
 * The nat table of iptables-nft, read and written over netlink without a child process
 * (docs/decisions/0010-iptables-rules-over-netlink.md). The rules have the form that all versions of iptables-nft
 * read as their own; the attachment that a rule was added for stands in its user data, which iptables does not show.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import {
  addChain,
  type ChainName,
  decodeChain,
  deleteChain,
  getChain,
  hookNumber,
} from "../../netlink/nftables/chain.ts";
import type { Expression } from "../../netlink/nftables/expression/expression.ts";
import {
  addRule,
  decodeRule,
  deleteRule,
  dumpRules,
  flushChain,
  getRule,
  insertRule,
  type Rule,
  type RuleHandle,
} from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { text, textOf, type UserDatum } from "../../netlink/nftables/userdata.ts";
import type { AddressRule } from "../address-rule.ts";
import { attachmentMark, networkMark, parseIptablesComment } from "../attachment-names.ts";
import { leadsTo, matchAddress, readAddressRule, verdict } from "../expressions.ts";
import { ask, dump, holds, rulesHolding, rulesIn } from "../kernel.ts";
import { datumType, deleteEmpty, madeHere } from "../skeleton.ts";
import { type ChainState, chainState, type NatTable, type Step, type StoredRule } from "./state.ts";

const TABLE = "nat";
const POSTROUTING = "POSTROUTING";
/** nft's `srcnat`. */
const SRCNAT = 100;
const NF_ACCEPT = 1;

/** sizeof(struct xt_comment_info); the text ends with a NUL. */
const COMMENT_SIZE = 256;
/** sizeof(struct nf_nat_ipv4_multi_range_compat) and sizeof(struct nf_nat_range), padded to eight bytes. */
const RANGE_SIZE = { 4: 24, 6: 40 } as const;

/** The most rules that are asked for one by one; more are looked for in the whole list. */
const MOST_GUESSES = 16;

/** The table of one family. */
export class NftNatTable implements NatTable {
  readonly family: Family;
  readonly name: string;
  private readonly connection: Connection;

  /** The connection stays the caller's, who closes it. */
  constructor(connection: Connection, family: Family) {
    this.connection = connection;
    this.family = family;
    this.name = family === 4 ? "iptables-nft" : "ip6tables-nft";
  }

  private chain(chain: string): ChainName {
    return { family: this.family === 4 ? "ip" : "ip6", table: TABLE, chain };
  }

  read(chain: string): ChainState | undefined {
    const found = this.find(chain);
    if (found === undefined) return undefined;
    const rules = rulesIn(this.connection, this.chain(chain));
    const jumps = this.jumpsTo(chain, rules, (found.use ?? 0) - rules.length);
    const stored = (rule: Rule & RuleHandle): StoredRule => this.stored(rule);
    return chainState(chain, rules.map(stored), jumps.map(stored));
  }

  update(chain: string, plan: (state: ChainState | undefined) => readonly Step[]): void {
    updateTogether(this.connection, chain, [{ table: this, plan }]);
  }

  /** Takes the base chain away if nothing is left in it and it was made here. */
  deleteEmptyBase(): void {
    deleteEmpty(this.connection, this.chain(POSTROUTING));
  }

  readAll(network: string): readonly ChainState[] {
    const { family, table } = this.chain("");
    const mark = networkMark(network);
    const chains = dump(this.connection, dumpRules({ family, table }), (message) => {
      if (!holds(message, `name: "${network}"`) && !holds(message, mark)) return undefined;
      const decoded = decodeRule(message);
      const { chain } = decoded;
      const { rule, mark: found } = this.stored(decoded);
      if (parseIptablesComment(rule?.comment)?.network !== network && !found?.startsWith(mark))
        return undefined;
      const target = typeof rule?.action === "object" && "jump" in rule.action ? rule.action.jump : chain;
      return target.startsWith("CNI-") ? target : undefined;
    });
    return [...new Set(chains)].flatMap((chain) => this.read(chain) ?? []);
  }

  /** The messages that make `steps`; the base chain is added where it is missing, as iptables-nft does. */
  requests(chain: string, steps: readonly Step[]): Request[] {
    const name = this.chain(chain);
    // Even where the container's chain stands: when all rules were flushed, the next DEL takes the empty base chain.
    const needsBase = steps.some(({ kind }) => kind === "add jump") && this.find(POSTROUTING) === undefined;
    return [
      ...(steps.length > 0 ? [addTable({ ...name, userData: [madeHere] })] : []),
      ...(needsBase ? [addChain({ ...this.chain(POSTROUTING), base: BASE, userData: [madeHere] })] : []),
      ...steps.flatMap((step) => this.requestsOf(name, step)),
    ];
  }

  private requestsOf(chain: ChainName, step: Step): Request[] {
    const postrouting = this.chain(POSTROUTING);
    switch (step.kind) {
      case "add chain":
        return [addChain(chain, { exclusive: true })];
      case "insert":
        return [insertRule(this.encoded(chain, step.rule))];
      case "append":
        return [addRule(this.encoded(chain, step.rule))];
      case "add jump":
        return [addRule(this.encoded(postrouting, step.rule, step.attachment))];
      case "delete rule":
        return this.deletion(chain, step.rule);
      case "delete jump":
        return [
          ...this.deletion(postrouting, step.jump),
          ...(step.jump.note === undefined ? [] : this.deletion(chain, step.jump.note)),
        ];
      case "delete chain":
        // Kernels before 4.13 delete only an empty chain.
        return [flushChain(chain), deleteChain(chain)];
    }
  }

  private deletion(chain: ChainName, { handle }: StoredRule): Request[] {
    return handle === undefined ? [] : [deleteRule({ ...chain, handle })];
  }

  private encoded(chain: ChainName, rule: AddressRule, attachment?: Attachment): Rule {
    const userData: UserDatum[] =
      attachment === undefined ? [] : [text(datumType.attachment, attachmentMark(attachment))];
    return {
      ...chain,
      expressions: encodeIptablesRule(rule, this.family),
      userData,
      compat: { protocol: 0, flags: 0 },
    };
  }

  private stored(rule: Rule & RuleHandle): StoredRule {
    const read = readAddressRule(rule.expressions, this.family);
    const mark = textOf(rule.userData, datumType.attachment) ?? earlierMark(rule, read);
    return { rule: read, handle: rule.handle, ...(mark !== undefined && { mark }) };
  }

  /**
   * The rules of POSTROUTING that lead to a chain; the kernel counts them in the chain's `use`. Those that came with
   * the chain have the numbers after its last rule's: they are asked for by number. Only if that does not find all
   * (another program wrote them, or they came later) is the whole list read.
   */
  private jumpsTo(chain: string, rules: readonly RuleHandle[], count: number): (Rule & RuleHandle)[] {
    const last = rules.reduce((highest, { handle }) => (handle > highest ? handle : highest), 0n);
    if (count <= 0) return [];
    const leads = (rule: Rule): boolean => leadsTo(rule, chain);
    if (last > 0n && count <= MOST_GUESSES) {
      const guesses = Array.from({ length: count }, (_, index) =>
        getRule({ ...this.chain(POSTROUTING), handle: last + 1n + BigInt(index) }),
      );
      const found = ask(this.connection, guesses).flatMap((replies) =>
        replies.map((reply) => decodeRule(reply)),
      );
      if (found.filter(leads).length === count) return found;
    }
    return rulesHolding(this.connection, this.chain(POSTROUTING), chain, leads);
  }

  private find(chain: string) {
    const [reply] = ask(this.connection, [getChain(this.chain(chain))]).flat();
    return reply === undefined ? undefined : decodeChain(reply);
  }
}

/** What is to become of the chain in one family's table. */
export interface Change {
  readonly table: NftNatTable;
  readonly plan: (state: ChainState | undefined) => readonly Step[];
}

/**
 * NatTable.update of several families in one transaction: each costs the kernel half a millisecond.
 * @throws NetlinkError
 */
export function updateTogether(connection: Connection, chain: string, changes: readonly Change[]): void {
  let emptied: NftNatTable[] = [];
  update(connection, () => {
    emptied = [];
    return changes.flatMap(({ table, plan }) => {
      const steps = plan(table.read(chain));
      if (steps.some(({ kind }) => kind === "delete chain")) emptied.push(table);
      return table.requests(chain, steps);
    });
  });
  for (const table of emptied) table.deleteEmptyBase();
}

/** The mark of a rule of an earlier version, which had the interface alone beside the comment. */
function earlierMark({ userData }: Rule, rule: AddressRule | undefined): string | undefined {
  const ifname = textOf(userData, datumType.interface);
  const { network, containerId } = parseIptablesComment(rule?.comment) ?? {};
  if (ifname === undefined || network === undefined || containerId === undefined) return undefined;
  return attachmentMark({ network, containerId, ifname });
}

const BASE = { type: "nat", hook: hookNumber.postrouting, priority: SRCNAT, policy: NF_ACCEPT } as const;

/** The expressions in the order of iptables-nft: addresses, comment, counter, target. */
export function encodeIptablesRule(rule: AddressRule, family: Family): Expression[] {
  const expressions: Expression[] = [];
  for (const which of ["source", "destination"] as const) {
    const match = rule[which];
    // iptables has no rule that says "any address".
    if (match !== undefined && (match.prefix.length > 0 || match.inverted)) {
      expressions.push(...matchAddress(which, match));
    }
  }
  if (rule.comment !== undefined) expressions.push(commentMatch(rule.comment));
  expressions.push({ name: "counter", packets: 0n, bytes: 0n });
  if (rule.action === "masquerade") expressions.push(masqueradeTarget(family));
  else if (rule.action !== "continue") expressions.push(verdict(rule.action));
  return expressions;
}

function commentMatch(text: string): Expression {
  const info = new Uint8Array(COMMENT_SIZE);
  info.set(new TextEncoder().encode(text).subarray(0, COMMENT_SIZE - 1));
  return { name: "match", extension: "comment", revision: 0, info };
}

/** No range of ports; IPv4's structure holds a count of ranges first, which must be 1. */
function masqueradeTarget(family: Family): Expression {
  const info = new Uint8Array(RANGE_SIZE[family]);
  if (family === 4) info[0] = 1;
  return { name: "target", extension: "MASQUERADE", revision: 0, info };
}
