/** Adds missing addresses to the gateway's interface (rules B24, B25, K17). */
import { CniError, code } from "../cni/error.ts";
import { isLinkLocal } from "../net/ip.ts";
import { formatPrefix, includesPrefix, overlaps, type Prefix } from "../net/prefix.ts";
import type { Connection } from "../netlink/connection.ts";
import { type NetlinkError, refusedWith } from "../netlink/error.ts";
import { addAddress, addressFlag, deleteAddress } from "../netlink/rtnetlink/address.ts";
import { claimNetns } from "../sys/netns-lock.ts";
import { sysctlIfThere, sysctlName } from "../sys/sysctl.ts";
import { pinMac } from "./bridge.ts";
import type { Gateway } from "./gateway.ts";
import { whyNoIpv6 } from "./ipv6.ts";
import type { Change, PresentLink } from "./link.ts";
import { trySysctl } from "./sysctl.ts";

/**
 * Adds the `wanted` addresses that are not `present`. With `forceAddress` it first deletes the addresses that conflict with
 * them. `undo` reverts that unless others use the gateway by then.
 * @throws CniError if an address conflicts and `forceAddress` is false (rule B25).
 */
export function addGatewayAddresses(
  change: Change,
  gateway: Gateway,
  wanted: readonly Prefix[],
  present: Prefix[],
  forceAddress: boolean,
): void {
  const { host, undo } = change;
  const { link } = gateway;
  let added = false;
  for (const address of wanted) {
    if (includesPrefix(present, address)) continue;
    const inTheWay = present.filter((candidate) => conflicts(candidate, address));
    const names = inTheWay.map(formatPrefix);
    if (inTheWay.length > 0 && !forceAddress) {
      throw new CniError(
        code.internal,
        `${JSON.stringify(link.name)} already has an IP address different from ${formatPrefix(address)}: it has ${names.join(", ")}; set "forceAddress": true to replace it, choose another bridge, or remove it with: ip addr del ${names[0]} dev ${link.name}`,
      );
    }
    if (inTheWay.length > 0) {
      // In their old order: the host uses the first address of a subnet as its source address.
      undo.push(`addresses ${names.join(", ")}`, () => {
        for (const old of inTheWay) {
          const error = add(host, link, old);
          if (error !== undefined && !refusedWith(error, "EEXIST")) throw error;
        }
      });
    }
    for (const old of inTheWay) {
      remove(host, link, old);
      present.splice(present.indexOf(old), 1);
    }
    // An attachment whose port exists by now uses the address, or is about to look for it.
    undo.push(`address ${formatPrefix(address)}`, () => {
      using lock = claimNetns();
      if (lock !== undefined && !gateway.isShared()) remove(host, link, address);
    });
    const error = add(host, link, address);
    if (error === undefined) added = true;
    else undo.drop();
    // EEXIST: another ADD has added the address in the meantime.
    if (error !== undefined && !refusedWith(error, "EEXIST")) throw refused(error, link, address);
    present.push(address);
  }
  if (!added) return;
  announceChanges(change, link);
  pinMac(host, link);
}

/**
 * Makes the kernel announce the link's addresses whenever its MAC is set: containers may have a neighbour entry for
 * another interface that had the gateway's address (K17).
 */
function announceChanges({ undo, log }: Change, { name }: PresentLink): void {
  for (const [family, setting] of [
    ["ipv4", "arp_notify"],
    ["ipv6", "ndisc_notify"],
  ] as const) {
    const parts = ["net", family, "conf", name, setting];
    if (sysctlIfThere(...parts) !== "0") continue;
    undo.push(sysctlName(parts), () => trySysctl(parts, "0", log));
    trySysctl(parts, "1", log);
  }
}

/** EADDRNOTAVAIL is success: with the first address of a subnet the kernel deletes the other addresses of the subnet. */
function remove(host: Connection, link: PresentLink, address: Prefix): void {
  const [outcome] = host.callAll([deleteAddress(link.index, address, link.name)]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "EADDRNOTAVAIL")) throw outcome.error;
}

/** A bridge has only one IPv4 address, but may have addresses of several IPv6 networks that do not overlap. */
function conflicts(present: Prefix, wanted: Prefix): boolean {
  if (present.address.family !== wanted.address.family || isLinkLocal(present.address)) return false;
  return wanted.address.family === 4 || overlaps(present, wanted);
}

/** Adds an address. Returns the kernel's error: EEXIST if the address is already there. */
function add(host: Connection, { index, name }: PresentLink, prefix: Prefix): NetlinkError | undefined {
  const flags = prefix.address.family === 6 ? addressFlag.noDad : 0;
  return host.callAll([addAddress(index, prefix, flags, name)])[0]?.error;
}

/** The error for a refused address, with the cause if IPv6 is off. */
function refused(error: NetlinkError, { name }: PresentLink, { address }: Prefix): Error {
  const why = address.family === 6 ? whyNoIpv6(name) : undefined;
  return why === undefined
    ? error
    : new CniError(code.internal, `${error.message}: ${why}`, "", { cause: error });
}
