/** STATUS: verifies that an ADD could work now (rule F31). Changes nothing. */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { LeaseHolders } from "../../leases/holders.ts";
import type { Prefix } from "../../net/prefix.ts";
import { requireUsable } from "../../netfilter/firewall/usable.ts";
import { missingForAttachments } from "../../sys/capability.ts";
import { parseFirewallConfig } from "./config.ts";

/** Addresses of documentation stand for those that an ADD would get. */
const EXAMPLES = {
  4: { address: { family: 4, value: 0xc0000201n }, length: 24 },
  6: { address: { family: 6, value: 0x20010db8n << 96n }, length: 64 },
} as const satisfies Record<4 | 6, Prefix>;

export async function status(request: Request): Promise<void> {
  const { backend, firewalldZone, iptablesAdminChainName, acceptPublished } = parseFirewallConfig(request);
  const missing = missingForAttachments();
  if (missing !== undefined) throw new CniError(code.notAvailable, `no container can be added: ${missing}`);
  // The configuration does not say whether the network gives IPv6 addresses, its leases do.
  const givesIpv6 = new LeaseHolders().tracesOf(request.network).some(({ family }) => family === 6);
  const wanted = {
    attachment: { network: request.network, containerId: "", ifname: "" },
    addresses: givesIpv6 ? [EXAMPLES[4], EXAMPLES[6]] : [EXAMPLES[4]],
    adminChain: iptablesAdminChainName,
    acceptPublished,
    ingress: undefined,
  };
  await requireUsable(backend, firewalldZone, wanted, request.log);
}
