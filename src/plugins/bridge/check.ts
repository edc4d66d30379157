/**
 * CHECK: whether all that ADD reported and the configuration asks for is still there (rules A32–A34, B36–B38, G12, G17).
 * What was added or switched on since is not a loss (docs/bridge.md has the table). All losses are in one error.
 */
import type { Attachment } from "../../cni/attachment.ts";
import { delegateCheck } from "../../cni/delegate.ts";
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { connect, connectInside, openNetns } from "../namespaces.ts";
import { type BridgeConfig, parseBridgeConfig } from "./config.ts";
import { Losses } from "./lost.ts";
import { verifyAddresses, verifyGateways, verifyRoutes } from "./verify-addressing.ts";
import { type VerifiedLinks, verifyLinks } from "./verify-links.ts";

export async function check(request: Request): Promise<void> {
  const config = parseBridgeConfig(request);
  const { ipam } = config;
  using netns = openNetns(request.netns);
  const losses = new Losses(request.time);
  if (ipam !== undefined) await losses.attempt(() => delegateCheck(request, ipam));
  const { prevResult } = request.config;
  if (prevResult === undefined) {
    losses.add(
      new CniError(
        code.invalidConfig,
        "Required prevResult missing: CHECK compares the network with the result of ADD",
      ),
    );
  } else {
    using host = connect();
    using container = connectInside(netns);
    await verify({ request, config, result: prevResult, host, container, losses });
  }
  losses.throwIfAny();
}

interface Verification {
  readonly request: Request;
  readonly config: BridgeConfig;
  readonly result: Result;
  readonly host: Connection;
  readonly container: Connection;
  readonly losses: Losses;
}

async function verify({ request, config, result, host, container, losses }: Verification): Promise<void> {
  const { netns, ifname } = request;
  const links = await losses.attempt(() =>
    verifyLinks({ host, container, config, attachment: request, netns, result, losses }),
  );
  if (links !== undefined && config.macspoofchk) await losses.attempt(() => verifySpoofCheck(request, links));
  // Addresses of interfaces that other plugins of the chain added are theirs to check.
  const own = (ip: IpConfig) =>
    ip.interface === undefined || result.interfaces[ip.interface]?.name === ifname;
  const ips = result.ips.filter(own);
  const inside = links?.container;
  if (inside !== undefined) {
    await losses.attempt(() => verifyAddresses(container, inside, ips, losses));
    await losses.attempt(() => verifyRoutes(container, inside, result.routes, losses));
  }
  if (config.ipam === undefined) return;
  const gateway = links?.gateway;
  if (config.isGateway && gateway !== undefined)
    await losses.attempt(() => verifyGateways(host, gateway, ips, config.forceAddress, losses));
  if (!config.ipMasq) return;
  await losses.attempt(async () => {
    const { checkMasquerade } = await import("../../netfilter/masquerade.ts");
    await checkMasquerade(
      config.ipMasqBackend,
      request,
      ips.map(({ address }) => address),
    );
  });
}

/** Its rules name the host's end and the container's address: without those there is nothing to compare them with. */
async function verifySpoofCheck(attachment: Attachment, { port, container }: VerifiedLinks): Promise<void> {
  if (port === undefined || container === undefined) return;
  const { checkSpoofCheck } = await import("../../netfilter/spoof-check.ts");
  await checkSpoofCheck(attachment, port.name, formatMac(container.mac ?? new Uint8Array()));
}
