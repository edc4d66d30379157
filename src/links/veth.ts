/** Creates the veth pair of an attachment (rules B13, B14, G7, G19). own-veth.ts finds it again. */
import type { Attachment } from "../cni/attachment.ts";
import { CniError, code } from "../cni/error.ts";
import type { Mac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { encodeBridgePort } from "../netlink/rtnetlink/bridge-port.ts";
import { changeLink, interfaceFlag, type Link } from "../netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../netlink/rtnetlink/veth.ts";
import { type Change, findLink, makeLink, type PresentLink, randomMac } from "./link.ts";
import type { Inside } from "./namespaces.ts";
import { trySysctl } from "./sysctl.ts";
import { attachmentAlias, hostVethMac, hostVethName, NAME_ATTEMPTS } from "./veth-identity.ts";

/** Both ends of a pair. */
export interface VethPair {
  readonly host: PresentLink;
  readonly container: PresentLink;
}

/** The configured settings of the ends. */
export interface VethSettings {
  /** Bytes; undefined leaves it to the kernel. */
  readonly mtu?: number;
  /** MAC of the container's end; undefined for a random one. */
  readonly mac?: Mac;
  readonly hairpinMode: boolean;
  readonly portIsolation: boolean;
}

/**
 * Creates the pair, with both ends down: the container's end in its namespace, the host's end as a port of the bridge. Both
 * have their names and MACs from the start, so that programs on the host that rename new links or change their MACs do not.
 * @throws CniError if the container has an interface of that name; nothing has changed then.
 */
export function addVethPair(
  change: Change & Inside,
  attachment: Attachment,
  bridge: PresentLink,
  settings: VethSettings,
): VethPair {
  const { host, container, netns } = change;
  const { ifname } = attachment;
  const mtu = settings.mtu === undefined ? {} : { mtu: settings.mtu };
  const data = encodeVethPeer({
    name: ifname,
    netnsFd: netns.fd,
    mac: settings.mac ?? randomMac(),
    ...mtu,
  });
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const name = hostVethName(attachment, attempt);
    const mac = hostVethMac(attachment.network, name);
    const made = makeLink(change, { name, kind: "veth", mac, master: bridge.index, data, ...mtu });
    if (made.error === undefined) {
      const inside = requireLink(container, ifname);
      // The container's end has the index of the host's end, which saves a request.
      const { peerIndex: index, mtu = 0 } = inside;
      const end = index === undefined ? requireLink(host, name) : { index, name, mac, mtu };
      made.index = end.index;
      return { host: end, container: inside };
    }
    if (!refusedWith(made.error, "EEXIST")) {
      throw new CniError(
        code.internal,
        `failed to make veth pair: ${JSON.stringify(ifname)} in ${netns.path} and ${JSON.stringify(name)} on bridge ${JSON.stringify(bridge.name)}: ${made.error.message}${refusedWith(made.error, "EXFULL") ? FULL : ""}`,
      );
    }
    if (findLink(container, ifname) !== undefined) {
      throw new CniError(
        code.internal,
        `cannot add veth ${JSON.stringify(ifname)} in ${netns.path}: an interface of that name already exists; DEL the attachment first`,
      );
    }
  }
  throw new CniError(code.tryAgainLater, `failed to find a unique veth name in ${NAME_ATTEMPTS} attempts`);
}

/** BR_MAX_PORTS of the kernel's net/bridge/br_private.h is 1,024; the kernel does not use port number 0. */
const FULL =
  '; the bridge has 1,023 ports, the most that the kernel allows: configure another "bridge" for new containers, or remove unused ports';

function requireLink(connection: Connection, name: string): PresentLink {
  const link = findLink(connection, name);
  if (link !== undefined) return link;
  throw new CniError(
    code.tryAgainLater,
    `interface ${JSON.stringify(name)} vanished right after it was made: another program deletes it`,
  );
}

/** Sets the alias and the port settings of the host's end, and brings it up. */
export function setUpHostEnd(
  { host, log }: Change,
  attachment: Attachment,
  { index, name }: PresentLink,
  { hairpinMode, portIsolation }: VethSettings,
): void {
  trySysctl(["net", "ipv6", "conf", name, "accept_ra"], "0", log);
  // Before it comes up: a port needs no IPv6 itself, and each port with IPv6 slows down the start of the next one.
  trySysctl(["net", "ipv6", "conf", name, "disable_ipv6"], "1", log);
  const { up } = interfaceFlag;
  const change: Link & { index: number } = {
    index,
    flags: up,
    change: up,
    alias: attachmentAlias(attachment),
  };
  if (hairpinMode || portIsolation) {
    change.portKind = "bridge";
    change.portData = encodeBridgePort({
      ...(hairpinMode && { hairpin: true }),
      ...(portIsolation && { isolated: true }),
    });
  }
  host.call(changeLink(change, `set up bridge port ${JSON.stringify(name)}`));
}
