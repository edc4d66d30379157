/**
 * Interfaces that configure themselves by router advertisements (rule K16). A kernel that forwards IPv6 listens to them
 * only where accept_ra is 2: it drops the default routes that it has learned, and all else when its time is over. So a
 * host would lose its own IPv6 by its first IPv6 network.
 */
import { CniError, code } from "../cni/error.ts";
import type { Connection } from "../netlink/connection.ts";
import { addressFlag, addressOf, dumpAddresses } from "../netlink/rtnetlink/address.ts";
import { decodeLink, dumpLinks, interfaceFlag } from "../netlink/rtnetlink/link.ts";
import { decodeRoute, dumpRoutes, RTN_UNICAST } from "../netlink/rtnetlink/route.ts";
import { failedWith, SystemError } from "../sys/errno.ts";
import { claimNetns } from "../sys/netns-lock.ts";
import { ensureSysctl, sysctlIfThere, sysctlName } from "../sys/sysctl.ts";
import { FORWARDING } from "./gateway.ts";
import type { Change, PresentLink } from "./link.ts";
import { trySysctl } from "./sysctl.ts";

const settingOf = (name: string, setting: string) => ["net", "ipv6", "conf", name, setting];

/**
 * Lets all interfaces that listen to router advertisements now go on with it under forwarding, also those that have
 * heard none yet. To be called before forwarding is switched on. `undo` brings accept_ra back unless the host forwards
 * by then.
 * @throws CniError when an interface can't be kept listening.
 */
export function keepRouterAdvertisements({ host, undo, log }: Change): void {
  const names = host.dump(dumpLinks(), ({ payload }) => {
    const { name, flags = 0, portKind, kind, linkNetnsId } = decodeLink(payload);
    // A bridge takes the frames of its ports, and behind a veth whose other end is in this namespace there is no router but
    // this host itself.
    const hearsNone =
      (flags & interfaceFlag.loopback) !== 0 ||
      portKind === "bridge" ||
      (kind === "veth" && linkNetnsId === undefined);
    return hearsNone ? undefined : name;
  });
  for (const name of names) {
    const is = (setting: string, value: string) => sysctlIfThere(...settingOf(name, setting)) === value;
    if (!is("accept_ra", "1") || !is("forwarding", "0") || !is("disable_ipv6", "0")) continue;
    const setting = settingOf(name, "accept_ra");
    undo.push(sysctlName(setting), () => {
      using lock = claimNetns();
      // Where the host forwards by now, another ADD relies on what this one has set.
      if (lock === undefined || sysctlIfThere(...FORWARDING[6]) !== "0") return;
      if (is("accept_ra", "2")) ensureSysctl(setting, "1");
    });
    try {
      ensureSysctl(setting, "2");
    } catch (error) {
      if (failedWith(error, "ENOENT")) continue;
      if (!(error instanceof SystemError)) throw error;
      throw new CniError(
        code.internal,
        `failed to enable forwarding: interface ${JSON.stringify(name)} accepts router advertisements and would lose ` +
          `its IPv6 routes by it: ${error.message}; set it on the host: sysctl -w ${sysctlName(setting)}=2`,
        "",
        { cause: error },
      );
    }
    log(
      `interface ${JSON.stringify(name)} accepts router advertisements: set ${sysctlName(setting)} to 2, ` +
        "so that the host keeps its IPv6 routes when IPv6 forwarding is switched on",
    );
  }
}

/**
 * No container shall be able to give the host routes by router advertisements (rule B12). A bridge to the host's own
 * network, by which the host has learned its routes, goes on listening.
 */
export function refuseRouters({ host, log }: Change, bridge: PresentLink): void {
  const setting = settingOf(bridge.name, "accept_ra");
  const now = sysctlIfThere(...setting);
  if (now === "0") return;
  if (now === undefined || !hasLearned(host, bridge.index)) {
    trySysctl(setting, "0", log);
    return;
  }
  log(
    `bridge ${JSON.stringify(bridge.name)} has routes or addresses from router advertisements: ${sysctlName(setting)} stays ` +
      `${now}, so containers on it can send such advertisements to the host; give containers a bridge of their own`,
  );
}

/** RTPROT_RA of uapi linux/rtnetlink.h. */
const PROTOCOL_RA = 9;

/** Whether an interface has routes or addresses from router advertisements: those are of the host's own network. */
function hasLearned(host: Connection, index: number): boolean {
  const routes = host.dump(dumpRoutes(6, { type: RTN_UNICAST }), ({ payload }) => {
    const route = decodeRoute(payload);
    return (route.index === index && route.protocol === PROTOCOL_RA) || undefined;
  });
  if (routes.length > 0) return true;
  // A network without a default route gives no more than an address, for a time.
  const temporary = host.dump(dumpAddresses(index), (message) => {
    const address = addressOf(message, index);
    if (address?.prefix.address.family !== 6 || address.scope !== 0) return undefined;
    return ((address.flags ?? 0) & addressFlag.permanent) === 0 || undefined;
  });
  return temporary.length > 0;
}
