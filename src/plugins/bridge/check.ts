/**
 * CHECK: whether all that ADD reported and the configuration asks for is still there (rules A32–A34, B36–B38, G12, G17).
 * What was added or switched on since is not a loss (docs/bridge.md has the table). All losses are in one error.
 */
import { requirePrevResult } from "../../cni/config.ts";
import { delegateCheck } from "../../cni/delegate.ts";
import type { Request } from "../../cni/plugin.ts";
import { connect, connectInside, openNetns } from "../../links/namespaces.ts";
import { formatMac } from "../../net/mac.ts";
import { verifyAddresses, verifyGateways, verifyRoutes } from "./check-addressing.ts";
import { type Expectation, verifyLinks } from "./check-links.ts";
import { parseBridgeConfig } from "./config.ts";
import { Losses } from "./losses.ts";

export async function check(request: Request): Promise<void> {
  const config = parseBridgeConfig(request);
  const { ipam } = config;
  using netns = openNetns(request.netns);
  const losses = new Losses(request.time);
  if (ipam !== undefined) await losses.attempt(() => delegateCheck(request, ipam));
  const result = await losses.attempt(() => requirePrevResult(request.config));
  if (result !== undefined) {
    using host = connect();
    using container = connectInside(netns);
    await verify({ request, config, result, host, container, losses });
  }
  losses.throwIfAny();
}

async function verify(expected: Expectation): Promise<void> {
  const { request, config, result, host, container, losses } = expected;
  const links = await losses.attempt(() => verifyLinks(expected));
  const { port, container: inside, gateway } = links ?? {};
  // Its rules name the host's end and the container's address: without those there is nothing to compare them with.
  if (config.macspoofchk && port !== undefined && inside !== undefined) {
    await losses.attempt(async () => {
      const spoofCheck = await import("../../netfilter/spoof-check/check.ts");
      await spoofCheck.check(request, port.name, formatMac(inside.mac ?? new Uint8Array()));
    });
  }
  // Addresses of interfaces that other plugins of the chain added are theirs to check.
  const ips = result.ips.filter(
    (ip) => ip.interface === undefined || result.interfaces[ip.interface]?.name === request.ifname,
  );
  if (inside !== undefined) {
    if (ips.length > 0) await losses.attempt(() => verifyAddresses(container, inside, ips, losses));
    await losses.attempt(() => verifyRoutes(container, inside, result.routes, losses));
  }
  if (config.ipam === undefined) return;
  if (config.isGateway && gateway !== undefined)
    await losses.attempt(() => verifyGateways(host, gateway, ips, config.forceAddress, losses));
  if (!config.ipMasq) return;
  await losses.attempt(async () => {
    const masquerade = await import("../../netfilter/masquerade/check.ts");
    const addresses = ips.map(({ address }) => address);
    await masquerade.check(config.ipMasqBackend, request, addresses);
  });
}
