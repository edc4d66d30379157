/**
 * GC: removes what attachments of this network that are not listed have left (rules A37–A39, G1). Only what proves to
 * be ours and of this network is touched: host veths by their alias, rules by their owner, leases by the IPAM.
 */
import { requireValidAttachments } from "../../cni/config.ts";
import { delegateGc } from "../../cni/delegate.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";
import { connect } from "../namespaces.ts";
import { staleAliases } from "./attachment.ts";
import { removeLink } from "./bridge-link.ts";
import { ipamType } from "./config.ts";

export async function gc(request: Request): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const ipam = ipamType(request.config.json);
  const network = request.config.name;
  const failures = new Failures(request.time);
  const isStale = staleAliases(network, valid);
  using host = connect();
  let stays = false;
  for (const veth of staleVeths(host, isStale)) {
    const removed = await failures.attempt(() => {
      removeLink(host, veth);
      request.log(`removed stale interface ${JSON.stringify(veth.name)} (${veth.alias})`);
      return true;
    });
    stays ||= !removed;
  }
  await failures.attempt(async () =>
    (await import("../../netfilter/masquerade.ts")).collectMasquerade(network, valid),
  );
  await failures.attempt(async () => (await import("../../netfilter/spoof-check.ts")).collectSpoofChecks());
  // The address of an interface that stays must not go to another container.
  if (ipam !== undefined && !stays) await failures.attemptLast(() => delegateGc(request, ipam));
  failures.throwIfAny();
}

/** The host veths of this network whose owner is not listed. */
const staleVeths = (host: Connection, isStale: (alias: string) => boolean) =>
  host.dump(dumpLinks({ kind: "veth" }), ({ payload }) => {
    const { index, name = "", kind, alias } = decodeLink(payload);
    if (index === undefined || kind !== "veth" || alias === undefined) return undefined;
    return isStale(alias) ? { index, name, alias } : undefined;
  });
