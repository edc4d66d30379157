/** Reads the state of the host as a gateway (rules B24–B26). gateway-addresses.ts and forwarding.ts change it. */
import type { Family } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { addressOf, dumpAddresses } from "../netlink/rtnetlink/address.ts";
import { deleteNeighbour } from "../netlink/rtnetlink/neighbour.ts";
import { sysctlIfThere } from "../sys/sysctl.ts";
import type { PresentLink } from "./link.ts";

/** The gateway of an attachment. */
export interface Gateway {
  /** The interface that has the gateway addresses. */
  readonly link: PresentLink;
  /** Whether other attachments use it. */
  isShared(): boolean;
}

/** Addresses of an interface, of both families. */
export const prefixesOf = (connection: Connection, { index }: PresentLink): Prefix[] =>
  connection.dump(dumpAddresses(index), (message) => addressOf(message, index)?.prefix);

/** Deletes the host's neighbour entries of another attachment's former addresses, which would be dead for seconds (G25). */
export function forgetNeighbours(
  host: Connection,
  { index }: PresentLink,
  prefixes: readonly Prefix[],
): void {
  const requests = [];
  for (const { address } of prefixes) requests.push(deleteNeighbour(index, address));
  for (const { error } of host.callAll(requests)) {
    // ENOENT: there was no entry.
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
  }
}

/** The sysctl that turns forwarding on for a family (rule B26). */
export const FORWARDING = {
  4: ["net", "ipv4", "ip_forward"],
  6: ["net", "ipv6", "conf", "all", "forwarding"],
} as const;

/** Whether the host forwards packets of the family. False where the setting can't be read. */
export const isForwarding = (family: Family): boolean =>
  (sysctlIfThere(...FORWARDING[family]) ?? "0") !== "0";
