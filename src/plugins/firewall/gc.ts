/** GC: removes what unlisted attachments of this network have left (rule F31). */
import { requireValidAttachments } from "../../cni/config.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { LeaseHolders } from "../../leases/holders.ts";
import { prefixesAround } from "../../links/host-prefixes.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { contains } from "../../net/prefix.ts";
import { collect } from "../../netfilter/firewall/list.ts";
import { collectSources } from "../../netfilter/firewall/zone.ts";
import { parseNames } from "./config.ts";

export async function gc(request: Request): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const { network, log } = request;
  const { iptablesAdminChainName: adminChain, firewalldZone: zone } = parseNames(request);
  const holders = new LeaseHolders();
  // The ranges of a network are not in this plugin's configuration: an interface of the host has its subnets.
  const subnets = prefixesAround(holders.tracesOf(network));
  const isHeld = (address: IpAddress): boolean => holders.holdersOf(address).length > 0;
  const isOfNetwork = (address: IpAddress): boolean => subnets.some((subnet) => contains(subnet, address));
  const failures = new Failures(request.time);
  const removed = await failures.attempt(() => collect(network, valid, adminChain, { isHeld, isOfNetwork }));
  const texts = new Set(removed?.map(formatIp));
  for (const text of texts) log(`removed stale firewall rules of ${text}`);
  await failures.attemptLast(() =>
    collectSources(
      zone,
      (address) => texts.has(formatIp(address)) || (isOfNetwork(address) && !isHeld(address)),
    ),
  );
  failures.throwIfAny();
}
