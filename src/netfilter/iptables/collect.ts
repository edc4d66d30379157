/** GC of the masquerade rules of iptables (G1). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark, iptablesChain, networkMark, parseIptablesComment } from "../attachment-names.ts";
import { forAllTables } from "./iptables.ts";
import { planRemoval } from "./plan.ts";
import type { ChainState, Step, StoredRule } from "./state.ts";

/** Removes rules of the network's attachments that are not valid (G1). @throws CniError */
export function collectIptables(
  connection: Connection | undefined,
  network: string,
  valid: Iterable<ContainerInterface>,
): void {
  forAllTables(connection, (table) => {
    const living = new Map(table.readAll(network).map(({ chain }) => [chain, new Set<string>()]));
    if (living.size > 0) addMarks(living, network, valid);
    for (const [chain, marks] of living) {
      table.update(chain, (state) => (state === undefined ? [] : planCollection(state, network, marks)));
    }
  });
}

/** Adds the marks of valid attachments to the chains of their containers, of those that there are. */
function addMarks(
  living: ReadonlyMap<string, Set<string>>,
  network: string,
  valid: Iterable<ContainerInterface>,
): void {
  for (const each of valid) {
    const attachment = { network, ...each };
    living.get(iptablesChain(attachment))?.add(attachmentMark(attachment));
  }
}

/** @param living marks of the valid attachments of the chain's container in this network */
function planCollection(state: ChainState, network: string, living: ReadonlySet<string>): readonly Step[] {
  const ofNetwork = ({ mark, rule }: StoredRule): boolean =>
    mark === undefined
      ? parseIptablesComment(rule?.comment)?.network === network
      : mark.startsWith(networkMark(network));
  const isStale = (rule: StoredRule): boolean =>
    ofNetwork(rule) && (rule.mark === undefined ? living.size === 0 : !living.has(rule.mark));
  const jumps = state.jumps.filter(isStale);
  if (jumps.length === 0 && living.size > 0) return [];
  // A network has one container in the chain, so that all of its rules have one comment.
  const [first] = [...jumps, ...state.rules.filter(isStale)];
  const comment = first?.rule?.comment;
  const { containerId } = parseIptablesComment(comment) ?? {};
  const isMasquerading =
    containerId === undefined
      ? /^CNI-[0-9a-f]{24}$/.test(state.chain)
      : iptablesChain({ network, containerId }) === state.chain;
  if (comment === undefined || !isMasquerading) return [];
  return planRemoval(state, jumps, { comment, notes: state.idleNotes.filter(isStale) });
}
