/**
 * What the nat table holds of one container in one network (rule B28), and changes to it. Both variants of iptables
 * read and write it in these terms.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { mayBeOf, type Note, noteComment, parseNote } from "../attachment-names.ts";
import { doesSame, type FoundRule, type Rule } from "../rule.ts";

/** The nat table of one family, as one variant of iptables keeps it. */
export interface NatTable {
  readonly family: Family;
  /** To nf_tables, where the nft variant keeps it; undefined for x_tables. */
  readonly connection: Connection | undefined;
}

/** A rule of POSTROUTING that leads into the container's chain. */
export interface FoundJump extends FoundRule {
  /** The rule in the chain that only notes the attachment, see `note`. */
  readonly note?: FoundRule;
}

/**
 * The chain of a container in a network, with the rules that lead there. Its name is a digest of both names joined
 * without a separator, so that net1 and 0abc share it with net10 and abc: whose a rule is stands in its comment or mark.
 */
export interface ChainState {
  readonly chain: string;
  /** Rules of the chain in their order, without notes. */
  readonly rules: readonly FoundRule[];
  /** Notes about jumps that are gone. */
  readonly idleNotes: readonly FoundRule[];
  /** In their order. */
  readonly jumps: readonly FoundJump[];
}

/** One change of a plan. All are made in their order, or none. */
export type Change =
  /** The container's chain; deleted with the rules that are in it. */
  | { readonly action: "add chain" | "delete chain" }
  /** A rule at the end or the beginning of a chain, and the attachment that it is marked with. */
  | {
      readonly action: "append" | "insert";
      readonly chain: string;
      readonly rule: Rule;
      readonly attachment?: Attachment | undefined;
    }
  | { readonly action: "delete"; readonly rule: FoundRule };

/** From what there is to what has to be changed. */
export type Plan = (state: ChainState | undefined) => readonly Change[];

/**
 * The note: a rule of the chain without a target, which does nothing but say the attachment of an address. x_tables
 * has no other place for it. It goes with the chain, whoever deletes that.
 */
export const note = (attachment: Attachment, source: NonNullable<Rule["source"]>): Rule => ({
  source,
  comment: noteComment(attachment),
  verdict: "continue",
});

/** Sorts a chain's rules and the jumps to it; notes become part of the jumps that they are about. */
export function chainState(
  chain: string,
  all: readonly FoundRule[],
  leadingHere: readonly FoundRule[],
): ChainState {
  const rules: FoundRule[] = [];
  const notes: (Note & { readonly found: FoundRule })[] = [];
  for (const found of all) {
    const read = found.rule?.verdict === "continue" ? parseNote(found.rule.comment) : undefined;
    if (read === undefined) rules.push(found);
    else notes.push({ found, ...read });
  }
  const jumps = leadingHere.map((jump): FoundJump => {
    const { source, comment } = jump.rule ?? {};
    const at = notes.findIndex(
      (each) =>
        doesSame(each.found.rule, { ...(source && { source }), verdict: "continue" }) &&
        (jump.mark === undefined ? mayBeOf(each, comment) : jump.mark === each.mark),
    );
    const [its] = at < 0 ? [] : notes.splice(at, 1);
    return its === undefined ? jump : { ...jump, note: its.found, mark: its.mark };
  });
  return { chain, rules, jumps, idleNotes: notes.map(({ found, mark }) => ({ ...found, mark })) };
}
