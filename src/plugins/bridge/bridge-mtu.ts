/** The mtu of a bridge that networks with different ones share (rules G22, K20). */
import type { Connection } from "../../netlink/connection.ts";
import { changeLink, type Link } from "../../netlink/rtnetlink/link.ts";
import type { BridgeConfig } from "./config.ts";
import { portsOf } from "./ports.ts";

type Bridge = Link & { readonly index: number; readonly name: string };

/** What the kernel gives a port of a network that names no mtu. */
const ETHERNET_MTU = 1500;

/**
 * A bridge that has had no mtu set takes the smallest of its ports': one network would shrink the packets of all others
 * on it (K20). Setting the mtu ends that, but only one that differs counts as set.
 */
export function keepMtu(host: Connection, { index, name, mtu = 0 }: Bridge, config: BridgeConfig): void {
  const smaller = config.mtu ?? ETHERNET_MTU;
  if (mtu <= smaller || !portsOf(host, { index }).some((port) => port.mtu > smaller)) return;
  const action = `keep the mtu of bridge ${JSON.stringify(name)}`;
  const other = mtu < LARGEST_MTU ? mtu + 1 : mtu - 1;
  for (const value of [other, mtu]) host.call(changeLink({ index, mtu: value }, action));
}

/** ETH_MAX_MTU of uapi linux/if_ether.h. */
const LARGEST_MTU = 65535;

/** Says what a new port of another mtu means for the bridge, if anything. */
export function reportMtu(before: Link, after: Bridge, port: Link, log: (line: string) => void): void {
  const [old = 0, now = 0, own = 0] = [before.mtu, after.mtu, port.mtu];
  const name = JSON.stringify(after.name);
  const remedy = "give all networks of a bridge the same mtu, or this one a bridge of its own";
  if (now > own) {
    log(
      `bridge ${name} has mtu ${now} and keeps it, but the container gets ${own}: longer packets from the host to it, ` +
        `other than TCP, are lost; ${remedy}`,
    );
  } else if (now < old)
    log(`the mtu of bridge ${name} goes from ${old} to ${now}, the smallest of its ports; ${remedy}`);
}

/** An mtu can be raised as long as there is no port that frames of that length would not pass (G22). */
export const needsMtu = (host: Connection, link: Bridge, { mtu }: BridgeConfig): boolean =>
  mtu !== undefined && link.mtu !== undefined && mtu > link.mtu && portsOf(host, link).length === 0;
