/** The container's end: settings, addresses, routes (rules B21–B23, B30, G18, G24). */
import { toCniError } from "../../cni/error.ts";
import type { IpConfig, Route } from "../../cni/result.ts";
import type { Connection } from "../../netlink/connection.ts";
import { addAddress, addressFlag } from "../../netlink/rtnetlink/address.ts";
import { changeLink, setLinkUp } from "../../netlink/rtnetlink/link.ts";
import { addRoute } from "../../netlink/rtnetlink/route.ts";
import { failedWith } from "../../sys/errno.ts";
import type { Netns } from "../../sys/netns.ts";
import { ensureSysctl } from "../../sys/sysctl.ts";
import { runInside } from "../namespaces.ts";
import { effectiveGateway } from "./addressing.ts";
import type { PresentLink } from "./bridge-link.ts";
import { whyNoIpv6 } from "./ipv6.ts";
import { trySysctl } from "./sysctl.ts";

/** What the container's interface is to have. */
export interface ContainerPlan {
  readonly link: PresentLink;
  readonly ips: readonly IpConfig[];
  readonly routes: readonly Route[];
  readonly enabledad: boolean;
}

/** Gives the interface its settings, addresses and routes, and brings it up. */
export function configureContainerInterface(
  container: Connection,
  netns: Netns,
  plan: ContainerPlan,
  log: (line: string) => void,
): void {
  runInside(netns, () => applySettings(plan, log));
  // One datagram: the kernel works through it in order, and routes need the interface up.
  const requests = [
    ...plan.ips.map(({ address }) => {
      // Without duplicate address detection the address works at once instead of after a second (G24).
      const noDad = address.address.family === 6 && !plan.enabledad;
      return addAddress(plan.link.index, address, noDad ? addressFlag.noDad : 0, plan.link.name);
    }),
    setLinkUp(plan.link.index, true, plan.link.name),
    ...plan.routes.map((route) => addRoute(kernelRoute(route, plan))),
  ];
  for (const [index, { error }] of container.callAll(requests).entries()) {
    if (error === undefined) continue;
    const isIpv6 = plan.ips[index]?.address.address.family === 6;
    const cause = isIpv6 ? runInside(netns, () => whyNoIpv6(plan.link.name)) : undefined;
    throw cause === undefined ? error : new Error(`${error.message}: ${cause}`, { cause: error });
  }
}

/**
 * Tells the neighbours where the addresses are now, by ARP and by unsolicited neighbour advertisements: they may
 * remember another interface that had one of them (K17). The kernel does it when the interface comes up, which the port
 * may be too slow to pass on, and when the MAC is set, also to what it is.
 */
export function announce(container: Connection, link: PresentLink, log: (line: string) => void): void {
  const { index, mac } = link;
  if (mac === undefined) return;
  const action = `announce the addresses of ${JSON.stringify(link.name)}`;
  const [outcome] = container.callAll([changeLink({ index, mac }, action)]);
  if (outcome?.error !== undefined)
    log(`${outcome.error.message}; neighbours may send to an old MAC address for a while`);
}

function kernelRoute(route: Route, plan: ContainerPlan) {
  const gateway = effectiveGateway(route, plan.ips);
  const { dst, mtu, advmss, priority, table, scope } = route;
  return {
    dst,
    index: plan.link.index,
    ...(gateway !== undefined && { gateway }),
    ...(mtu !== undefined && mtu !== 0 && { mtu }),
    ...(advmss !== undefined && advmss !== 0 && { advmss }),
    ...(priority !== undefined && priority !== 0 && { priority }),
    ...(table !== undefined && { table }),
    ...(scope !== undefined && { scope }),
  };
}

/** Runs inside the container's namespace, which the paths below /proc/sys/net follow. */
function applySettings(plan: ContainerPlan, log: (line: string) => void): void {
  const ipv6 = (name: string, setting: string) => ["net", "ipv6", "conf", name, setting];
  const { name } = plan.link;
  if (plan.enabledad) trySysctl(ipv6(name, "enhanced_dad"), "1", log);
  trySysctl(ipv6(name, "accept_dad"), plan.enabledad ? "1" : "0", log);
  trySysctl(["net", "ipv4", "conf", name, "arp_notify"], "1", log);
  if (!plan.ips.some(({ address }) => address.address.family === 6)) return;
  for (const link of ["lo", name]) {
    try {
      ensureSysctl(ipv6(link, "disable_ipv6"), "0");
    } catch (error) {
      // Where the kernel has no IPv6 at all, adding the address will say so.
      if (!failedWith(error, "ENOENT")) {
        const { message } = toCniError(error).during(
          `failed to enable IPv6 for interface ${JSON.stringify(link)}`,
        );
        throw new Error(
          `${message}; let the plugin write to /proc/sys, ` +
            'start the container with IPv6 on, or take the IPv6 ranges out of the network\'s "ipam"',
          { cause: error },
        );
      }
    }
  }
  trySysctl(ipv6(name, "keep_addr_on_down"), "1", log);
  // Beside arp_notify: what peers remember of an address is put right when the interface is announced.
  trySysctl(ipv6(name, "ndisc_notify"), "1", log);
}
