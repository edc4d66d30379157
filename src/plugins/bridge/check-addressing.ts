/** CHECK of addresses, routes and gateways (rules B38, G17). Additions of other plugins are tolerated. */
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result, Route } from "../../cni/result.ts";
import { LimitedList } from "../../links/limited-list.ts";
import type { PresentLink } from "../../links/link.ts";
import { FAMILIES, formatIp, sameIp } from "../../net/ip.ts";
import { formatPrefix, networkOf, overlaps, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { addressOf, dumpAddresses } from "../../netlink/rtnetlink/address.ts";
import {
  decodeRoute,
  dumpRoutes,
  gatewaysOf,
  type Route as KernelRoute,
  RTN_UNICAST,
} from "../../netlink/rtnetlink/route.ts";
import type { Mismatches } from "./mismatches.ts";

/** The addresses of the attachment's interface. Other plugins of the chain may have added some of other interfaces. */
export const ownIps = ({ ifname }: Pick<Request, "ifname">, { interfaces, ips }: Result): IpConfig[] =>
  ips.filter(({ interface: index }) => index === undefined || interfaces[index]?.name === ifname);

/** Verifies that the interface has each address with its prefix length. */
export function verifyAddresses(
  container: Connection,
  link: PresentLink,
  ips: readonly IpConfig[],
  mismatches: Mismatches,
): void {
  const { missing, all } = missingOn(
    container,
    link,
    new Set(ips.map(({ address }) => formatPrefix(address))),
  );
  for (const text of missing)
    mismatches.report(`Failed to match addr ${text} on interface ${link.name}: it has ${all.text}`);
}

/** The addresses in `texts` that the interface lacks, and all that it has. */
const missingOn = (connection: Connection, { index }: PresentLink, texts: ReadonlySet<string>) =>
  connection.fold(
    dumpAddresses(index),
    () => ({ missing: new Set(texts), all: new LimitedList() }),
    ({ missing, all }, message) => {
      const address = addressOf(message, index);
      if (address === undefined) return;
      const text = formatPrefix(address.prefix);
      missing.delete(text);
      all.add(text);
    },
  );

/**
 * Verifies that each route exists in its table, or in any if it names none: later plugins of the chain may have moved it. A
 * gateway is compared if the result has one, but not for a default route.
 */
export function verifyRoutes(
  container: Connection,
  link: PresentLink,
  routes: readonly Route[],
  mismatches: Mismatches,
): void {
  for (const family of FAMILIES) {
    const wanted = routes.filter((route) => route.dst.address.family === family);
    if (wanted.length === 0) continue;
    const missing = container.fold(
      dumpRoutes(family, { type: RTN_UNICAST }),
      () => Map.groupBy(wanted, ({ dst }) => formatPrefix(networkOf(dst))),
      (missing, { payload }) => {
        const found = decodeRoute(payload);
        const dst = formatPrefix(found.dst);
        const left = found.type === RTN_UNICAST ? missing.get(dst) : undefined;
        if (left !== undefined)
          missing.set(
            dst,
            left.filter((route) => !matches(found, route)),
          );
      },
    );
    const absent = new Set([...missing.values()].flat());
    for (const route of wanted) {
      if (!absent.has(route)) continue;
      const via = route.gw === undefined ? "" : ` via ${formatIp(route.gw)}`;
      mismatches.report(
        `Expected Route ${formatPrefix(route.dst)}${via} not found in routing table of the container (interface ${link.name})`,
      );
    }
  }
}

/** Whether the kernel's route, which is to the same network, is the wanted one. */
function matches(found: KernelRoute, { table = 0, priority = 0, gw, dst }: Route): boolean {
  if (table !== 0 && found.table !== table) return false;
  if (priority !== 0 && found.priority !== priority) return false;
  return gw === undefined || dst.length === 0 || gatewaysOf(found).some((gateway) => sameIp(gateway, gw));
}

/** Verifies that `link`, the bridge or the VLAN's gateway interface, has the gateway of each address. */
export function verifyGateways(
  host: Connection,
  link: PresentLink,
  ips: readonly IpConfig[],
  forceAddress: boolean,
  mismatches: Mismatches,
): void {
  const gateways = ips.flatMap(({ address, gateway }) =>
    gateway === undefined ? [] : [{ address: gateway, length: address.length }],
  );
  const { missing, all } = missingOn(host, link, new Set(gateways.map(formatPrefix)));
  for (const [index, wanted] of gateways.entries()) {
    const text = formatPrefix(wanted);
    // With forceAddress each gateway replaces the earlier ones that conflict with it (B25).
    const isReplaced = forceAddress && gateways.slice(index + 1).some((later) => replaces(later, wanted));
    if (missing.has(text) && !isReplaced)
      mismatches.report(`gateway address ${text} is missing on ${link.name}: it has ${all.text}`);
  }
}

const replaces = (later: Prefix, earlier: Prefix): boolean =>
  later.address.family === earlier.address.family && (later.address.family === 4 || overlaps(later, earlier));
