/**
 * What the nat table holds of one container in one network (rule B28), and changes to it. Both variants of iptables
 * read and write it in these terms.
 */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import { type AddressRule, iptablesText } from "../address-rule.ts";
import { mayBeOf, noteComment, parseNote } from "../attachment-names.ts";

/** A rule as it stands in the table. */
export interface StoredRule {
  /** Undefined when it does what no rule of B28 does. */
  readonly rule: AddressRule | undefined;
  /** nf_tables' number for it; undefined in x_tables, where a rule is named by what it says. */
  readonly handle?: bigint;
  /** The mark of the attachment that it was added for, where that is known; rules of other programs do not say it. */
  readonly mark?: string;
}

/** A rule of POSTROUTING that leads into the container's chain. */
export interface StoredJump extends StoredRule {
  /** The rule in the chain that only notes the interface, see `note`. */
  readonly note?: StoredRule;
}

/**
 * The chain of a container in a network, with the rules that lead there. Its name is a digest of both names joined
 * without a separator, so that net1 and 0abc share it with net10 and abc: whose a rule is stands in its comment or mark.
 */
export interface ChainState {
  readonly chain: string;
  /** Rules of the chain in their order, without notes. */
  readonly rules: readonly StoredRule[];
  /** Notes about jumps that are gone. */
  readonly idleNotes: readonly StoredRule[];
  /** In their order. */
  readonly jumps: readonly StoredJump[];
}

/** One step of a change. Steps are made in their order, all or none. */
export type Step =
  | { readonly kind: "add chain" }
  /** Puts a rule at the beginning or the end of the chain. */
  | { readonly kind: "insert" | "append"; readonly rule: AddressRule }
  /** Lets an address of an attachment into the chain. */
  | { readonly kind: "add jump"; readonly rule: AddressRule; readonly attachment: Attachment }
  | { readonly kind: "delete rule"; readonly rule: StoredRule }
  | { readonly kind: "delete jump"; readonly jump: StoredJump }
  /** Deletes the chain with the rules that are in it. */
  | { readonly kind: "delete chain" };

/** The nat table of one family as one variant of iptables keeps it. */
export interface NatTable {
  readonly family: Family;
  /** For errors: "iptables-nft", "ip6tables-legacy". */
  readonly name: string;
  /** The chain of that name; undefined when there is none. @throws CniError */
  read(chain: string): ChainState | undefined;
  /**
   * Reads the chain, lets `plan` say what to do, and does it in one transaction. The state may be read, and `plan`
   * called, again when another program was faster. No steps, no transaction. @throws CniError
   */
  update(chain: string, plan: (state: ChainState | undefined) => readonly Step[]): void;
  /** All chains of B28 that belong to `network`. @throws CniError */
  readAll(network: string): readonly ChainState[];
}

/**
 * The note: a rule of the chain without a target, which does nothing but say the attachment of an address. x_tables
 * has no other place for it. It goes with the chain, whoever deletes that.
 */
export const note = (attachment: Attachment, source: NonNullable<AddressRule["source"]>): AddressRule => ({
  source,
  comment: noteComment(attachment),
  action: "continue",
});

const sourceText = (rule: AddressRule | undefined): string | undefined =>
  rule?.source && iptablesText({ source: rule.source, action: "continue" });

/** Sorts a chain's rules and the jumps to it; notes become part of the jumps that they are about. */
export function chainState(
  chain: string,
  all: readonly StoredRule[],
  jumps: readonly StoredRule[],
): ChainState {
  const rules: StoredRule[] = [];
  const notes: { stored: StoredRule; mark: string; ifname: string }[] = [];
  for (const stored of all) {
    const read = stored.rule?.action === "continue" ? parseNote(stored.rule.comment) : undefined;
    if (read === undefined) rules.push(stored);
    else notes.push({ stored, ...read });
  }
  const marked = jumps.map((jump): StoredJump => {
    const at = notes.findIndex(
      (note) =>
        sourceText(note.stored.rule) === sourceText(jump.rule) &&
        (jump.mark === undefined ? mayBeOf(note, jump.rule?.comment) : jump.mark === note.mark),
    );
    const [found] = at < 0 ? [] : notes.splice(at, 1);
    return found === undefined ? jump : { ...jump, note: found.stored, mark: found.mark };
  });
  const idleNotes = notes.map(({ stored, mark }) => ({ ...stored, mark }));
  return { chain, rules, jumps: marked, idleNotes };
}
