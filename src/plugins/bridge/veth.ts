/** The veth pair of an attachment (rules B13, B14, G7, G19): how it is made. own-veth.ts finds it again. */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import type { UndoStack } from "../../cni/undo.ts";
import type { Connection } from "../../netlink/connection.ts";
import { type NetlinkError, refusedWith } from "../../netlink/error.ts";
import { encodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { changeLink, interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../../netlink/rtnetlink/veth.ts";
import type { Netns } from "../../sys/netns.ts";
import { findLink, makeLink, type PresentLink, removeLink } from "./bridge-link.ts";
import type { BridgeConfig } from "./config.ts";
import { randomMac } from "./random-mac.ts";
import { trySysctl } from "./sysctl.ts";
import { attachmentAlias, hostVethMac, hostVethNames } from "./veth-identity.ts";

export interface VethPair {
  readonly host: PresentLink;
  readonly container: PresentLink;
}

/**
 * Makes the pair: each end is created where it belongs, the host's as a port of the bridge, with addresses of their
 * own (so that no program on the host which renames or re-addresses new links changes them). Both are down.
 * @throws CniError when the container has an interface of that name; nothing has changed then.
 */
export function addVethPair(
  host: Connection,
  container: Connection,
  options: {
    attachment: Attachment;
    netns: Netns;
    bridge: PresentLink;
    config: BridgeConfig;
    undo: UndoStack;
  },
): VethPair {
  const { attachment, netns, bridge, config } = options;
  const mtu = config.mtu === undefined ? {} : { mtu: config.mtu };
  const peer = { name: attachment.ifname, netnsFd: netns.fd, mac: config.mac ?? randomMac(), ...mtu };
  const names = hostVethNames(attachment);
  for (const name of names) {
    const link = {
      name,
      kind: "veth",
      mac: hostVethMac(attachment.network, name),
      master: bridge.index,
      ...mtu,
    };
    let made: { name: string } | { index: number } = { name };
    const takeBack = () => removeLink(host, made);
    const error = makeLink(host, { ...link, data: encodeVethPeer(peer) }, options.undo, takeBack);
    if (error === undefined) {
      options.undo.push(`veth ${JSON.stringify(name)}`, takeBack);
      const inside = presentLink(container, attachment.ifname);
      const pair = { host: hostEnd(host, link, inside), container: inside };
      made = { index: pair.host.index };
      return pair;
    }
    if (!refusedWith(error, "EEXIST")) {
      throw new CniError(
        code.internal,
        `failed to make veth pair: ${JSON.stringify(attachment.ifname)} in ${netns.path} and ${JSON.stringify(name)} on bridge ${JSON.stringify(bridge.name)}: ${error.message}${full(error)}`,
      );
    }
    if (findLink(container, attachment.ifname) !== undefined) {
      throw new CniError(
        code.internal,
        `cannot add veth ${JSON.stringify(attachment.ifname)} in ${netns.path}: an interface of that name already exists; DEL the attachment first`,
      );
    }
  }
  throw new CniError(code.tryAgainLater, `failed to find a unique veth name in ${names.length} attempts`);
}

/** BR_MAX_PORTS of the kernel's net/bridge/br_private.h, of which one number is not given. */
const full = (error: NetlinkError): string =>
  refusedWith(error, "EXFULL")
    ? '; the kernel lets a bridge have 1,023 ports and it has them: use another one ("bridge") for new containers, or remove ports that are gone'
    : "";

/** The host's end as it was created. The container's knows the other's index, which saves asking for it. */
function hostEnd(
  host: Connection,
  born: { name: string; mac: Uint8Array },
  { peerIndex, mtu }: PresentLink,
): PresentLink {
  if (peerIndex === undefined || mtu === undefined) return presentLink(host, born.name);
  return { index: peerIndex, name: born.name, mac: born.mac, mtu };
}

function presentLink(connection: Connection, name: string): PresentLink {
  const link = findLink(connection, name);
  if (link !== undefined) return link;
  throw new CniError(
    code.tryAgainLater,
    `interface ${JSON.stringify(name)} vanished right after it was made: another program deletes it`,
  );
}

/** Marks the host's end as the attachment's, sets what the configuration wants of the port, and brings it up. */
export function setUpHostEnd(
  host: Connection,
  link: PresentLink,
  options: { attachment: Attachment; config: BridgeConfig; log: (line: string) => void },
): void {
  const { attachment, config, log } = options;
  const ipv6 = ["net", "ipv6", "conf", link.name];
  trySysctl([...ipv6, "accept_ra"], "0", log);
  // Before it comes up: a port speaks no IPv6 itself, and each one that does makes the next one's start slower.
  trySysctl([...ipv6, "disable_ipv6"], "1", log);
  const port = {
    ...(config.hairpinMode && { hairpin: true }),
    ...(config.portIsolation && { isolated: true }),
  };
  const portData =
    Object.keys(port).length === 0 ? {} : { portKind: "bridge", portData: encodeBridgePort(port) };
  host.call(
    changeLink(
      {
        index: link.index,
        flags: interfaceFlag.up,
        change: interfaceFlag.up,
        alias: attachmentAlias(attachment),
        ...portData,
      },
      `set up bridge port ${JSON.stringify(link.name)}`,
    ),
  );
}
