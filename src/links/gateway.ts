/** The host as the containers' gateway, where all is as it should be (rules B24–B26). Else: gateway-addresses.ts, forwarding.ts. */
import type { Family } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { addressOf, dumpAddresses } from "../netlink/rtnetlink/address.ts";
import { deleteNeighbour } from "../netlink/rtnetlink/neighbour.ts";
import { sysctlIfThere } from "../sys/sysctl.ts";
import type { PresentLink } from "./link.ts";

/** The interface that has the gateway addresses, and whether others use them than the container being added. */
export interface Gateway {
  readonly link: PresentLink;
  isShared(): boolean;
}

/** Addresses of an interface, both families. */
export const prefixesOf = (connection: Connection, { index }: PresentLink): Prefix[] =>
  connection.dump(dumpAddresses(index), (message) => addressOf(message, index)?.prefix);

/** Forgets what the host knew of an address that another attachment had before: it would be dead for seconds (G25). */
export function forgetNeighbours(
  host: Connection,
  { index }: PresentLink,
  prefixes: readonly Prefix[],
): void {
  const requests = [];
  for (const { address } of prefixes) requests.push(deleteNeighbour(index, address));
  for (const { error } of host.callAll(requests)) {
    // Best effort: a kernel with nothing to forget says ENOENT.
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
  }
}

/** What switches forwarding on for a family (rule B26). */
export const FORWARDING = {
  4: ["net", "ipv4", "ip_forward"],
  6: ["net", "ipv6", "conf", "all", "forwarding"],
} as const;

/** Whether the host forwards packets of the family. False where the setting can't be read. */
export const isForwarding = (family: Family): boolean =>
  (sysctlIfThere(...FORWARDING[family]) ?? "0") !== "0";
