/** CHECK: whether what ADD reported is still so (rules A32–A34, B36–B38, G12, G17). Each loss has its own error. */
import { delegateCheck } from "../../cni/delegate.ts";
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig } from "../../cni/result.ts";
import { formatMac } from "../../net/mac.ts";
import { connect, connectInside, openNetns } from "../namespaces.ts";
import { parseBridgeConfig } from "./config.ts";
import { verifyAddresses, verifyGateways, verifyRoutes } from "./verify-addressing.ts";
import { verifyLinks } from "./verify-links.ts";

export async function check(request: Request): Promise<void> {
  const config = parseBridgeConfig(request);
  using netns = openNetns(request.netns);
  if (config.ipam !== undefined) await delegateCheck(request, config.ipam);
  const { prevResult } = request.config;
  if (prevResult === undefined) {
    throw new CniError(
      code.invalidConfig,
      "Required prevResult missing: CHECK compares the network with the result of ADD",
    );
  }
  using host = connect();
  using container = connectInside(netns);
  const owner = { network: request.config.name, containerId: request.containerId, ifname: request.ifname };
  const links = verifyLinks({ host, container, config, owner, netns: request.netns, result: prevResult });

  if (config.macspoofchk) {
    const { checkSpoofCheck } = await import("../../netfilter/spoof-check.ts");
    await checkSpoofCheck(owner, links.port.name, formatMac(links.container.mac ?? new Uint8Array()));
  }
  // Addresses of interfaces that other plugins of the chain added are theirs to check.
  const own = (ip: IpConfig) =>
    ip.interface === undefined || prevResult.interfaces[ip.interface]?.name === request.ifname;
  const ips = prevResult.ips.filter(own);
  verifyAddresses(container, links.container, ips);
  verifyRoutes(container, links.container, prevResult.routes);
  if (config.ipam === undefined) return;
  if (config.isGateway) verifyGateways(host, links.gateway, ips, config.forceAddress);
  if (config.ipMasq) {
    const { checkMasquerade } = await import("../../netfilter/masquerade.ts");
    await checkMasquerade(
      config.ipMasqBackend,
      owner,
      ips.map(({ address }) => address),
    );
  }
}
