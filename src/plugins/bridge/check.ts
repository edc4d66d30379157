/**
 * CHECK: verifies the state that ADD reported and the configuration asks for (rules A32–A34, B36–B38, G12, G17). Later
 * additions are not a mismatch (see the table in docs/bridge.md). One error names all mismatches.
 */
import { requirePrevResult } from "../../cni/config.ts";
import { delegateCheck } from "../../cni/delegate.ts";
import type { Request } from "../../cni/plugin.ts";
import { connect, connectInside, openNetns } from "../../links/namespaces.ts";
import { formatMac } from "../../net/mac.ts";
import { ownIps, verifyAddresses, verifyGateways, verifyRoutes } from "./check-addressing.ts";
import { type Expectation, verifyLinks } from "./check-links.ts";
import { parseBridgeConfig } from "./config.ts";
import { Mismatches } from "./mismatches.ts";

export async function check(request: Request): Promise<void> {
  const config = parseBridgeConfig(request);
  const { ipam } = config;
  using netns = openNetns(request.netns);
  const mismatches = new Mismatches(request.time);
  if (ipam !== undefined) await mismatches.attempt(() => delegateCheck(request, ipam));
  const result = await mismatches.attempt(() => requirePrevResult(request.config));
  if (result !== undefined) {
    using host = connect();
    using container = connectInside(netns);
    await verify({ request, config, result, host, container, mismatches });
  }
  mismatches.throwIfAny();
}

async function verify(expected: Expectation): Promise<void> {
  const { request, config, result, host, container, mismatches } = expected;
  const links = await mismatches.attempt(() => verifyLinks(expected));
  const { port, container: inside, gateway } = links ?? {};
  // The rules contain the name of the host's end and the container's MAC, so without those they cannot be compared.
  if (config.macspoofchk && port !== undefined && inside !== undefined) {
    await mismatches.attempt(async () => {
      const spoofCheck = await import("../../netfilter/spoof-check/check.ts");
      await spoofCheck.check(request, port.name, formatMac(inside.mac ?? new Uint8Array()));
    });
  }
  const ips = ownIps(request, result);
  if (inside !== undefined) {
    if (ips.length > 0) await mismatches.attempt(() => verifyAddresses(container, inside, ips, mismatches));
    await mismatches.attempt(() => verifyRoutes(container, inside, result.routes, mismatches));
  }
  if (config.ipam === undefined) return;
  if (config.isGateway && gateway !== undefined)
    await mismatches.attempt(() => verifyGateways(host, gateway, ips, config.forceAddress, mismatches));
  if (!config.ipMasq) return;
  await mismatches.attempt(async () => {
    const masquerade = await import("../../netfilter/masquerade/check.ts");
    const addresses = ips.map(({ address }) => address);
    await masquerade.check(config.ipMasqBackend, request, addresses);
  });
}
