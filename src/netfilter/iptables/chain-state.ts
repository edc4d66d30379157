/** The rules of one container in one network in the nat table (rule B28), in either variant of iptables. */
import type { Attachment } from "../../cni/attachment.ts";
import { type Marker, markerComment, mayBeOf, parseMarker } from "../attachment-names.ts";
import { doesSame, type FoundRule, type Rule } from "../rule.ts";
import type { Change } from "./change.ts";

/** A rule of POSTROUTING that leads into the container's chain. */
export interface FoundJump extends FoundRule {
  /** Its marker rule in the chain. */
  readonly marker?: FoundRule;
}

/**
 * The chain of a container in a network, with the rules that lead there. Its name is a digest of both names joined
 * without a separator, so net1 and 0abc share it with net10 and abc. A rule's comment or mark tells them apart.
 */
export interface ChainState {
  readonly chain: string;
  /** Rules of the chain in their order, without marker rules. */
  readonly rules: readonly FoundRule[];
  /** Marker rules whose jumps are gone. */
  readonly idleMarkers: readonly FoundRule[];
  /** In their order. */
  readonly jumps: readonly FoundJump[];
}

/** Computes the changes from the state. */
export type Plan = (state: ChainState | undefined) => readonly Change[];

/**
 * The marker rule: a rule of the chain without a target, whose only purpose is to say which attachment has an address.
 * x_tables has no other place for that. The marker is removed with the chain, also by other programs.
 */
export const marker = (attachment: Attachment, source: NonNullable<Rule["source"]>): Rule => ({
  source,
  comment: markerComment(attachment),
  verdict: "continue",
});

/** Sorts a chain's rules and the jumps to it; each marker rule becomes part of its jump. */
export function chainState(
  chain: string,
  all: readonly FoundRule[],
  leadingHere: readonly FoundRule[],
): ChainState {
  const rules: FoundRule[] = [];
  const markers: (Marker & { readonly found: FoundRule })[] = [];
  for (const found of all) {
    const read = found.rule?.verdict === "continue" ? parseMarker(found.rule.comment) : undefined;
    if (read === undefined) rules.push(found);
    else markers.push({ found, ...read });
  }
  const jumps = leadingHere.map((jump): FoundJump => {
    const { source, comment } = jump.rule ?? {};
    const at = markers.findIndex(
      (each) =>
        doesSame(each.found.rule, { ...(source && { source }), verdict: "continue" }) &&
        (jump.mark === undefined ? mayBeOf(each, comment) : jump.mark === each.mark),
    );
    const [own] = at < 0 ? [] : markers.splice(at, 1);
    return own === undefined ? jump : { ...jump, marker: own.found, mark: own.mark };
  });
  return { chain, rules, jumps, idleMarkers: markers.map(({ found, mark }) => ({ ...found, mark })) };
}
