/** Reads the rules that nf_tables has. */
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import type { Message } from "../../netlink/message.ts";
import type { ChainName } from "../../netlink/nftables/chain.ts";
import { decodeRule, dumpRules, getRule, type RuleHandle } from "../../netlink/nftables/rule.ts";
import type { TableName } from "../../netlink/nftables/table.ts";
import { commentOf, textOf } from "../../netlink/nftables/userdata.ts";
import { markBy, markOf } from "../attachment-names.ts";
import { getEach } from "../kernel.ts";
import type { FoundRule } from "../rule.ts";
import { datumType } from "./base-chains.ts";
import { readRule } from "./read-rule.ts";

/** A rule that was found in nf_tables. */
export interface NftRule extends FoundRule, RuleHandle {
  readonly handle: bigint;
  /** What is recorded of its attachment (datumType.owner). */
  readonly owner?: string | undefined;
}

const latin1 = new TextDecoder("latin1");

/** Decides by the bytes of a rule's message, as text of Latin 1, whether to decode it: cheaper than decoding all. */
type MayBeWanted = (bytes: string) => boolean;

/** Bytes as they are in such a text. */
export const bytesText = (bytes: Uint8Array): string => latin1.decode(bytes);

/** What a rule's message must contain: a text of ASCII characters, or bytes. */
type Part = string | Uint8Array;

/**
 * The wanted rules of a chain or table in their order; none if it does not exist.
 * @param mayBe of these parts, a rule's message must contain one. @throws NetlinkError
 */
export function rulesIn(
  connection: Connection,
  where: TableName & { readonly chain?: string },
  isWanted: (rule: NftRule) => boolean = () => true,
  mayBe?: MayBeWanted | readonly Part[],
): NftRule[] {
  const isCandidate = ({ payload }: Message): boolean =>
    typeof mayBe === "function" ? mayBe(bytesText(payload)) : !mayBe?.length || contains(payload, mayBe);
  try {
    return connection.dump(dumpRules(where), (message) => {
      if (!isCandidate(message)) return undefined;
      const rule = foundRule(message);
      return isWanted(rule) ? rule : undefined;
    });
  } catch (error) {
    // Some kernels refuse to list a chain that does not exist.
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}

function contains(payload: Uint8Array, parts: readonly Part[]): boolean {
  const text = bytesText(payload);
  return parts.some((part) =>
    typeof part === "string" ? text.includes(part) : includesBytes(payload, part),
  );
}

/** No decoder keeps all bytes: that of Latin 1 has other characters for 0x80 to 0x9f. */
function includesBytes(payload: Uint8Array, part: Uint8Array): boolean {
  const first = part[0] ?? 0;
  for (let at = payload.indexOf(first); at >= 0; at = payload.indexOf(first, at + 1))
    if (part.every((byte, index) => payload[at + index] === byte)) return true;
  return false;
}

/** The existing rules among these handles, read in one datagram. @throws NetlinkError */
export function rulesByHandle(
  connection: Connection,
  { family, table, chain }: ChainName,
  handles: readonly bigint[],
): NftRule[] {
  const requests = handles.map((handle) => getRule({ family, table, chain, handle }));
  return getEach(connection, requests).flatMap((reply) => (reply === undefined ? [] : foundRule(reply)));
}

/**
 * The `count` rules of a base chain that lead to a chain; the kernel counts them in the chain's `use`. Rules that one
 * transaction added together with the chain are read by handle, from `first` on (0: unknown). The whole list is read
 * only if that does not find all: another program, or a later transaction, has added the others.
 */
export function jumpsTo(
  connection: Connection,
  base: ChainName,
  chain: string,
  count: number,
  first: bigint,
): NftRule[] {
  if (count <= 0) return [];
  const leads = ({ target }: NftRule): boolean => target === chain;
  // At most 16 rules are read one by one.
  if (first > 0n && count <= 16) {
    const handles = Array.from({ length: count }, (_, index) => first + BigInt(index));
    const found = rulesByHandle(connection, base, handles).filter(leads);
    if (found.length === count) return found;
  }
  return rulesIn(connection, base, leads, [chain]);
}

function foundRule(message: Message): NftRule {
  const { family, table, chain, handle, expressions, userData } = decodeRule(message);
  const { rule, isWhole } = readRule(expressions, family);
  const comment = commentOf(userData);
  const ifname = textOf(userData, datumType.interface);
  const mark =
    family === "inet"
      ? markOf(comment ?? "")
      : (textOf(userData, datumType.attachment) ??
        (ifname === undefined ? undefined : markBy(rule.comment, ifname)));
  const last = expressions.at(-1);
  const watches = last?.name === "counter" || (last?.name === "unknown" && last.kind === "log");
  const { target, input } = rule;
  return {
    family,
    table,
    chain,
    handle,
    rule: isWhole ? rule : undefined,
    part: rule,
    target,
    input,
    watches,
    mark,
    comment,
    owner: textOf(userData, datumType.owner),
    ingress: textOf(userData, datumType.ingress),
  };
}
