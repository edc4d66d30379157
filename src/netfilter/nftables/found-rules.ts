/** Reads the rules that nf_tables has. */
import { indexOfBytes } from "#engine";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import type { Message } from "../../netlink/message.ts";
import type { ChainName } from "../../netlink/nftables/chain.ts";
import { dumpRules, getRule } from "../../netlink/nftables/rule.ts";
import type { TableName } from "../../netlink/nftables/table.ts";
import { sift } from "../../netlink/sieve.ts";
import { getEach } from "../kernel.ts";
import { type NftRule, RuleReader } from "./found-rule.ts";

export type { NftRule };

/** What a rule's message must contain: a text, or bytes. */
export type Part = string | Uint8Array;

/** Which rules of a dump are decoded, decided by their bytes. There is a new one for each attempt at the dump. */
export interface RuleSieve {
  /** Whether a datagram may contain a rule to decode: most of a node's thousands do not. */
  readonly datagram: (bytes: Uint8Array) => boolean;
  /** Whether to decode this rule. */
  readonly message: (bytes: Uint8Array) => boolean;
}

const encoder = new TextEncoder();

/** The bytes of a part. */
export const partBytes = (part: Part): Uint8Array => (typeof part === "string" ? encoder.encode(part) : part);

/** Whether bytes contain one of the parts. */
export function containsAny(bytes: Uint8Array, parts: readonly Uint8Array[]): boolean {
  for (const part of parts) if (indexOfBytes(bytes, part) >= 0) return true;
  return false;
}

/** Decodes the rules that contain one of the parts; all without parts. */
export function having(parts: readonly Part[]): () => RuleSieve {
  const wanted = parts.map(partBytes);
  const isCandidate = (bytes: Uint8Array): boolean => wanted.length === 0 || containsAny(bytes, wanted);
  return () => ({ datagram: isCandidate, message: isCandidate });
}

/**
 * The wanted rules of a chain or table in their order; none if it does not exist.
 * @param sieve selects the rules that are decoded. @throws NetlinkError
 */
export function rulesIn(
  connection: Connection,
  where: TableName & { readonly chain?: string },
  isWanted: (rule: NftRule) => boolean = () => true,
  sieve: () => RuleSieve = having([]),
): NftRule[] {
  try {
    return sift(connection, dumpRules(where), () => {
      const { datagram, message: isCandidate } = sieve();
      const reader = new RuleReader();
      const keep = (message: Message): NftRule | undefined => {
        if (!isCandidate(message.payload)) return undefined;
        const rule = reader.rule(message);
        return isWanted(rule) ? rule : undefined;
      };
      return { mayHold: datagram, keep };
    });
  } catch (error) {
    // Some kernels refuse to list a chain that does not exist.
    if (refusedWith(error, "ENOENT")) return [];
    throw error;
  }
}

/** The existing rules among these handles, read in one datagram. @throws NetlinkError */
export function rulesByHandle(
  connection: Connection,
  { family, table, chain }: ChainName,
  handles: readonly bigint[],
): NftRule[] {
  const requests = handles.map((handle) => getRule({ family, table, chain, handle }));
  const reader = new RuleReader();
  return getEach(connection, requests).flatMap((reply) => (reply === undefined ? [] : reader.rule(reply)));
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
  return rulesIn(connection, base, leads, having([chain]));
}
