/** GC of the masquerade rules of iptables (G1). */
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark, iptablesChain, networkMark, parseIptablesComment } from "../owner.ts";
import { forAllTables } from "./iptables.ts";
import { planRemoval } from "./plan.ts";
import type { ChainState, Step, StoredRule } from "./state.ts";

type Attachment = { readonly containerId: string; readonly ifname: string };

/** Removes rules of the network's attachments that are not valid (G1). @throws CniError */
export function collectIptables(
  connection: Connection | undefined,
  network: string,
  valid: readonly Attachment[],
): void {
  let living: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  forAllTables(connection, (table) => {
    for (const { chain } of table.readAll(network)) {
      living ??= marksByChain(network, valid);
      const marks = living.get(chain) ?? new Set();
      table.update(chain, (state) => (state === undefined ? [] : planCollection(state, network, marks)));
    }
  });
}

/** The marks of valid attachments by the chain of their container. */
function marksByChain(network: string, valid: readonly Attachment[]): Map<string, Set<string>> {
  const living = new Map<string, Set<string>>();
  for (const attachment of valid) {
    const owner = { network, ...attachment };
    const chain = iptablesChain(owner);
    const marks = living.get(chain);
    if (marks === undefined) living.set(chain, new Set([attachmentMark(owner)]));
    else marks.add(attachmentMark(owner));
  }
  return living;
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
