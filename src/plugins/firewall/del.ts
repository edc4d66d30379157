/**
 * DEL: removes whatever exists of an attachment, and may be repeated (rules F11, F30, F33). It needs neither the namespace
 * nor the previous result, and looks in all backends.
 */
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { isolatePorts } from "../../links/port-isolation.ts";
import { tearDown } from "../../netfilter/firewall/tear-down.ts";
import { addressesOf, previousOf } from "./addresses.ts";
import { openIngress, parseNames } from "./config.ts";

export async function del(request: Request): Promise<void> {
  const { iptablesAdminChainName: adminChain, firewalldZone: zone } = parseNames(request);
  const { network, containerId, ifname } = request;
  const previous = previousOf(request);
  const failures = new Failures(request.time);
  await failures.attemptLast(() =>
    tearDown({
      attachment: { network, containerId, ifname },
      adminChain,
      zone,
      bridge: previous && openIngress(previous)?.bridge,
      addresses: () => addressesOf(request, previous),
      release: (port) => isolatePorts([port], false),
    }),
  );
  failures.throwIfAny();
}
