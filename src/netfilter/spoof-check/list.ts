/** Lists spoof checks, and removes those whose ports are gone (G1). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";
import { openNftables } from "../kernel.ts";
import { BRIDGE_PREROUTING } from "../nftables/base-chains.ts";
import { type NftRule, rulesIn } from "../nftables/found-rules.ts";
import { remove } from "../nftables/own-tables.ts";
import { findChecks, removal } from "./found-check.ts";

/** The rules that lead the frames of a port into its check: `input` is the port, `comment` names the attachment. */
export const list = (netfilter: Connection): NftRule[] =>
  rulesIn(
    netfilter,
    BRIDGE_PREROUTING,
    ({ comment = "", target = "", input = "" }) =>
      comment.startsWith("macspoofchk-") && target.startsWith("cni-br-iface-") && input !== "",
  );

/** Names of the host's interfaces. */
function interfaces(): Set<string> {
  using rtnetlink = connect(protocol.route);
  return new Set(rtnetlink.dump(dumpLinks(), ({ payload }) => decodeLink(payload).name));
}

/**
 * Removes the checks of bridge ports that do not exist any more. The check of an existing port stays, since chain names
 * do not contain the network that GC is for.
 * @throws CniError
 */
export async function collect(): Promise<void> {
  using netfilter = openNftables();
  if (netfilter === undefined) return;
  try {
    remove(netfilter, BRIDGE_PREROUTING, () => {
      const checks = list(netfilter);
      // The ports are read after the rules, since a port always exists before its check.
      const there = checks.length === 0 ? new Set() : interfaces();
      const stale = Map.groupBy(
        checks.filter(({ input }) => !there.has(input)),
        ({ target = "" }) => target,
      );
      return findChecks(netfilter, [...stale.keys()]).flatMap(
        (check) => removal(check, stale.get(check.chain) ?? []).requests,
      );
    });
  } catch (error) {
    throw new CniError(code.internal, `failed to collect spoof checks: ${toCniError(error).message}`);
  }
}
