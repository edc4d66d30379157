/** The bridge as the containers' gateway: its addresses and forwarding (rules B24–B26, G25). */
import { CniError, code } from "../../cni/error.ts";
import type { UndoStack } from "../../cni/undo.ts";
import { type Family, type IpAddress, isLinkLocal } from "../../net/ip.ts";
import { formatPrefix, overlaps, type Prefix, samePrefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { type NetlinkError, refusedWith, UnansweredError } from "../../netlink/error.ts";
import {
  addAddress,
  addressFlag,
  addressOf,
  deleteAddress,
  dumpAddresses,
} from "../../netlink/rtnetlink/address.ts";
import { deleteNeighbour } from "../../netlink/rtnetlink/neighbour.ts";
import { claimNetns } from "../../sys/netns-lock.ts";
import { sysctlIfThere, sysctlName } from "../../sys/sysctl.ts";
import { type PresentLink, pinMac } from "./bridge-link.ts";
import { lockHost } from "./host-lock.ts";
import { whyNoIpv6 } from "./ipv6.ts";
import { trySysctl } from "./sysctl.ts";

/** Addresses of an interface of the host, both families. */
const prefixesOf = (host: Connection, index: number): Prefix[] =>
  host.dump(dumpAddresses(index), (message) => addressOf(message, index)?.prefix);

/** The interface that has the gateway addresses, and whether others use them than the container being added. */
export interface Gateway {
  readonly link: PresentLink;
  isShared(): boolean;
}

/**
 * Gives the interface its gateway addresses; `undo` takes them back unless others use them by then.
 * @throws CniError when another address is in the way (rule B25).
 */
export function ensureGatewayAddresses(
  host: Connection,
  gateway: Gateway,
  wanted: readonly Prefix[],
  options: { forceAddress: boolean; undo: UndoStack; log: (line: string) => void },
): void {
  const { link } = gateway;
  const { forceAddress, undo } = options;
  let added = false;
  // No other ADD's undo can take away what is found here.
  using _lock = lockHost();
  const present = prefixesOf(host, link.index);
  for (const address of wanted) {
    if (present.some((candidate) => samePrefix(candidate, address))) continue;
    const inTheWay = present.filter((candidate) => conflicts(candidate, address));
    if (inTheWay.length > 0 && !forceAddress) throw differentAddress(link, inTheWay, address);
    if (inTheWay.length > 0) {
      const names = inTheWay.map(formatPrefix).join(", ");
      // In their order: the first address of a subnet is the one that the host speaks with.
      undo.push(`addresses ${names}`, () => {
        for (const old of inTheWay) addUnlessThere(host, link, old);
      });
    }
    for (const old of inTheWay) {
      removeUnlessGone(host, link, old);
      present.splice(present.indexOf(old), 1);
    }
    const takeBack = () =>
      undo.push(`address ${formatPrefix(address)}`, () => removeUnused(host, gateway, address));
    if (addOrLose(host, link, address, takeBack)) {
      takeBack();
      added = true;
    }
    present.push(address);
  }
  if (!added) return;
  announceChanges(link, options);
  pinMac(host, link);
}

/**
 * Has the kernel tell the neighbours where the link's addresses are whenever its MAC is set: containers may remember
 * another interface with a gateway's address (K17).
 */
function announceChanges(
  { name }: PresentLink,
  { undo, log }: { undo: UndoStack; log: (line: string) => void },
): void {
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

/** As addUnlessThere. When the answer is lost, the address may be there, and `takeBack` puts its undo on the stack. */
function addOrLose(host: Connection, link: PresentLink, address: Prefix, takeBack: () => void): boolean {
  try {
    return addUnlessThere(host, link, address);
  } catch (error) {
    if (error instanceof UnansweredError) takeBack();
    throw error;
  }
}

/** With the first address of a subnet the kernel takes the others of that subnet. */
function removeUnlessGone(host: Connection, link: PresentLink, address: Prefix): void {
  const [outcome] = host.callAll([deleteAddress(link.index, address, link.name)]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "EADDRNOTAVAIL")) throw outcome.error;
}

/** Undo of an address: others whose port is there by now use it, or are about to look for it. */
function removeUnused(host: Connection, gateway: Gateway, address: Prefix): void {
  using lock = claimNetns();
  if (lock === undefined || gateway.isShared()) return;
  removeUnlessGone(host, gateway.link, address);
}

/** One IPv4 address is all that a bridge has; IPv6 networks may stand side by side unless they overlap. */
function conflicts(present: Prefix, wanted: Prefix): boolean {
  if (present.address.family !== wanted.address.family || isLinkLocal(present.address)) return false;
  return wanted.address.family === 4 || overlaps(present, wanted);
}

/** Whether it was added; false when a concurrent ADD was faster. */
function addUnlessThere(host: Connection, link: PresentLink, address: Prefix): boolean {
  const flags = address.address.family === 6 ? addressFlag.noDad : 0;
  const [outcome] = host.callAll([addAddress(link.index, address, flags, link.name)]);
  if (refusedWith(outcome?.error, "EEXIST")) return false;
  if (outcome?.error !== undefined) throw refusedAddress(outcome.error, link, address);
  return true;
}

/** A refusal of an address, with its cause where IPv6 is off. */
function refusedAddress(error: NetlinkError, { name }: PresentLink, { address }: Prefix): Error {
  const cause = address.family === 6 ? whyNoIpv6(name) : undefined;
  return cause === undefined
    ? error
    : new CniError(code.internal, `${error.message}: ${cause}`, "", { cause: error });
}

function differentAddress(link: PresentLink, present: readonly Prefix[], wanted: Prefix): CniError {
  const name = JSON.stringify(link.name);
  return new CniError(
    code.internal,
    `${name} already has an IP address different from ${formatPrefix(wanted)}: it has ${present.map(formatPrefix).join(", ")}; set "forceAddress": true to replace it, choose another bridge, or remove it with: ip addr del ${present.map(formatPrefix)[0]} dev ${link.name}`,
  );
}

/** What switches forwarding on for a family (rule B26). */
export const FORWARDING = {
  4: ["net", "ipv4", "ip_forward"],
  6: ["net", "ipv6", "conf", "all", "forwarding"],
} as const;

/** Whether the host forwards packets of the family. False where the setting can't be read. */
export const isForwarding = (family: Family): boolean =>
  (sysctlIfThere(...FORWARDING[family]) ?? "0") !== "0";

/** Forgets what the host knew of an address that another attachment had before: it would be dead for seconds (G25). */
export function forgetNeighbours(host: Connection, link: PresentLink, addresses: readonly IpAddress[]): void {
  for (const { error } of host.callAll(addresses.map((address) => deleteNeighbour(link.index, address)))) {
    // Best effort: a kernel with nothing to forget says ENOENT.
    if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
  }
}
