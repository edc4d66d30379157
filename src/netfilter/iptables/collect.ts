/** GC of the masquerade rules of iptables (G1). */
import type { Connection } from "../../netlink/connection.ts";
import { iptablesChain, parseIptablesComment } from "../owner.ts";
import { forAllTables } from "./iptables.ts";
import { isAnonymous, planRemoval } from "./plan.ts";
import type { ChainState, StoredJump } from "./state.ts";

/** Removes rules of the network's attachments that are not valid (G1). @throws CniError */
export function collectIptables(
  connection: Connection | undefined,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
): void {
  forAllTables(connection, (table) => {
    for (const { chain } of table.readAll(network)) {
      table.update(chain, (state) => (state === undefined ? [] : planCollection(state, network, valid)));
    }
  });
}

function planCollection(
  state: ChainState,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
) {
  const comments = [...state.jumps, ...state.rules].map(({ rule }) => parseIptablesComment(rule?.comment));
  const containerId = comments.find((comment) => comment?.network === network)?.containerId;
  if (containerId === undefined || iptablesChain({ network, containerId, ifname: "" }) !== state.chain)
    return [];
  const living = valid.filter((attachment) => attachment.containerId === containerId);
  const isStale = (jump: StoredJump): boolean =>
    isAnonymous({ network, containerId })(jump)
      ? living.length === 0
      : jump.ifname !== undefined && !living.some(({ ifname }) => ifname === jump.ifname);
  const stale = state.jumps.filter(isStale);
  const deserted = state.jumps.length === 0 && living.length === 0;
  return stale.length > 0 || deserted ? planRemoval(state, stale) : [];
}
