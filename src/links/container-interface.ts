/** Configures the container's end: settings, addresses and routes (rules B21–B23, B30, G18, G24). */
import { toCniError } from "../cni/error.ts";
import type { IpConfig, Route } from "../cni/result.ts";
import { hasFamily } from "../net/prefix.ts";
import type { Request } from "../netlink/connection.ts";
import { addAddress, addressFlag } from "../netlink/rtnetlink/address.ts";
import { changeLink, setLinkUp } from "../netlink/rtnetlink/link.ts";
import { addRoute } from "../netlink/rtnetlink/route.ts";
import { failedWith } from "../sys/errno.ts";
import { ensureSysctl } from "../sys/sysctl.ts";
import type { Change, PresentLink } from "./link.ts";
import { type Inside, runInside } from "./namespaces.ts";
import { kernelRoute } from "./routes.ts";
import { trySysctl } from "./sysctl.ts";

/** The configuration of the container's interface. */
export interface ContainerPlan {
  readonly link: PresentLink;
  readonly ips: readonly IpConfig[];
  readonly routes: readonly Route[];
  readonly enabledad: boolean;
}

/** Gives the interface its settings, addresses and routes, and brings it up. */
export async function configureContainerInterface(
  { container, netns, log }: Inside & Pick<Change, "log">,
  plan: ContainerPlan,
): Promise<void> {
  const { link, ips, routes, enabledad } = plan;
  const { index, name } = link;
  runInside(netns, () => applySettings(plan, log));
  // One datagram, which the kernel processes in order: routes need the interface up.
  const requests: Request[] = [];
  for (const { address } of ips) {
    // An address with duplicate address detection is usable only after a second (G24).
    const noDad = address.address.family === 6 && !enabledad;
    requests.push(addAddress(index, address, noDad ? addressFlag.noDad : 0, name));
  }
  requests.push(setLinkUp(index, true, name));
  for (const route of routes) requests.push(addRoute(kernelRoute(route, ips, index)));
  let at = 0;
  for (const { error } of container.callAll(requests)) {
    const isIpv6 = ips[at++]?.address.address.family === 6;
    if (error === undefined) continue;
    if (!isIpv6) throw error;
    const { whyNoIpv6 } = await import("./ipv6.ts");
    const cause = runInside(netns, () => whyNoIpv6(name));
    throw cause === undefined ? error : new Error(`${error.message}: ${cause}`, { cause: error });
  }
}

/** Sets sysctls. Runs in the container's namespace, since /proc/sys/net shows that of the calling thread. */
function applySettings({ link, ips, enabledad }: ContainerPlan, log: (line: string) => void): void {
  const { name } = link;
  const ipv6 = (link: string, setting: string) => ["net", "ipv6", "conf", link, setting];
  if (enabledad) trySysctl(ipv6(name, "enhanced_dad"), "1", log);
  trySysctl(ipv6(name, "accept_dad"), enabledad ? "1" : "0", log);
  trySysctl(["net", "ipv4", "conf", name, "arp_notify"], "1", log);
  if (!hasFamily(ips, 6)) return;
  for (const link of ["lo", name]) {
    try {
      ensureSysctl(ipv6(link, "disable_ipv6"), "0");
    } catch (error) {
      // The kernel has no IPv6: adding the address will report that.
      if (failedWith(error, "ENOENT")) continue;
      const { message } = toCniError(error).during(
        `failed to enable IPv6 for interface ${JSON.stringify(link)}`,
      );
      const remedy = `let the plugin write to /proc/sys, start the container with IPv6 on, or take the IPv6 ranges out of the network's "ipam"`;
      throw new Error(`${message}; ${remedy}`, { cause: error });
    }
  }
  trySysctl(ipv6(name, "keep_addr_on_down"), "1", log);
  // As arp_notify does for IPv4: peers correct their neighbour entries when the interface is announced.
  trySysctl(ipv6(name, "ndisc_notify"), "1", log);
}

/**
 * Announces the addresses by gratuitous ARP and unsolicited neighbour advertisements: neighbours may have an entry for
 * another interface that had one of them (K17). The kernel announces when the interface comes up, but the port may not
 * forward yet. It announces again when the MAC is set, even to the same value.
 */
export function announce({ container, log }: Inside & Pick<Change, "log">, link: PresentLink): void {
  const { index, mac, name } = link;
  if (mac === undefined) return;
  const request = changeLink({ index, mac }, `announce the addresses of ${JSON.stringify(name)}`);
  const [outcome] = container.callAll([request]);
  if (outcome?.error !== undefined)
    log(`${outcome.error.message}; neighbours may send to an old MAC address for a while`);
}
