/** GC of spoof checks (G1), and the list of them. */
import { Connection } from "../../netlink/connection.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../netlink/socket.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";
import { type NftRule, rulesIn } from "../nftables/found-rules.ts";
import { remove } from "../nftables/own-tables.ts";
import { findChecks, removal } from "./found-check.ts";

/** The rules that lead the frames of a port into its check: `input` is the port, `comment` says whose. */
export const list = (netfilter: Connection): NftRule[] =>
  rulesIn(
    netfilter,
    BRIDGE_PREROUTING,
    ({ comment, target, input }) =>
      comment?.startsWith("macspoofchk-") === true &&
      target?.startsWith("cni-br-iface-") === true &&
      Boolean(input),
  );

/** Names of the host's interfaces. */
function interfaces(): Set<string> {
  using rtnetlink = new Connection(new NetlinkSocket(protocol.route));
  return new Set(rtnetlink.dump(dumpLinks(), ({ payload }) => decodeLink(payload).name));
}

/** Removes the checks of ports that do not exist any more. @throws NetlinkError */
export function collect(netfilter: Connection): void {
  remove(netfilter, BRIDGE_PREROUTING, () => {
    const checks = list(netfilter);
    if (checks.length === 0) return [];
    // In this order: a port is always there before its check.
    const there = interfaces();
    const stale = Map.groupBy(
      checks.filter(({ input = "" }) => !there.has(input)),
      ({ target = "" }) => target,
    );
    return findChecks(netfilter, [...stale.keys()]).flatMap(
      (check) => removal(check, stale.get(check.chain) ?? []).requests,
    );
  });
}
