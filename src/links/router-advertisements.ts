/**
 * Keeps router advertisements working on the host's interfaces, and off on bridges (rules B12, K16). A kernel that forwards
 * IPv6 accepts them only if accept_ra is 2. Otherwise it drops the default routes that it has learned, and its addresses
 * when they expire, so that the host would lose its own IPv6 by its first IPv6 network.
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
 * Sets accept_ra to 2 on all interfaces that accept router advertisements, including those that have received none yet.
 * Call it before forwarding is turned on. `undo` restores accept_ra unless the host forwards by then.
 * @throws CniError if a setting can't be changed.
 */
export function keepRouterAdvertisements({ host, undo, log }: Change): void {
  const names = host.dump(dumpLinks(), ({ payload }) => {
    const { name, flags = 0, portKind, kind, linkNetnsId } = decodeLink(payload);
    // A port passes its frames to the bridge. Behind a veth whose other end is in this namespace, the only router is this
    // host itself.
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
      // If the host forwards by now, another ADD relies on this setting.
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
 * Turns router advertisements off on a bridge, so that no container can give the host routes (rule B12). A bridge to the
 * host's own network, from which the host has learned routes or addresses, keeps accepting them.
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

/** Whether the interface has routes or addresses from router advertisements, and so leads to the host's own network. */
function hasLearned(host: Connection, index: number): boolean {
  const routes = host.dump(dumpRoutes(6, { type: RTN_UNICAST }), ({ payload }) => {
    const route = decodeRoute(payload);
    return (route.index === index && route.protocol === PROTOCOL_RA) || undefined;
  });
  if (routes.length > 0) return true;
  // A network without a default route gives only an address with a limited lifetime.
  const temporary = host.dump(dumpAddresses(index), (message) => {
    const address = addressOf(message, index);
    if (address?.prefix.address.family !== 6 || address.scope !== 0) return undefined;
    return ((address.flags ?? 0) & addressFlag.permanent) === 0 || undefined;
  });
  return temporary.length > 0;
}
