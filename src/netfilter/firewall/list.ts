/** Lists firewall rules by their attachments, and removes those of attachments that are gone (rule F31). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { Failures } from "../../cni/failures.ts";
import type { IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark, networkMark } from "../attachment-names.ts";
import { nameOf } from "../iptables/change.ts";
import { openNftables } from "../kernel.ts";
import type { FoundRule } from "../rule.ts";
import { placesWithRules, readLegacy } from "./filter-table.ts";
import { addressOf, bridgeOf, CNI_FORWARD, type IngressPolicy, STAGE_1, stricter } from "./layout.ts";
import { removeEverywhere } from "./removal.ts";
import { nftStates, rulesOf } from "./state.ts";
import { readState, recordedIn } from "./table-state.ts";

/** An address with rules. */
export interface Listed {
  readonly address: IpAddress;
  /** The mark of its attachment; undefined for rules of the reference, and in iptables-legacy. */
  readonly mark: string | undefined;
  /** "iptables-nft", "ip6tables-legacy", "nftables". */
  readonly place: string;
  /** Undefined in the table of nftables, whose sets hold addresses. */
  readonly found: FoundRule | undefined;
}

/** All rules that are about addresses of containers, in all backends. @throws CniError, NetlinkError */
export async function list(netfilter: Connection | undefined): Promise<Listed[]> {
  const listed: Listed[] = [];
  for (const place of placesWithRules(netfilter)) {
    const { family, connection } = place;
    const states =
      connection === undefined ? [await readLegacy(family)] : nftStates(connection, [family], []);
    for (const rule of states.flatMap((state) => rulesOf(state, CNI_FORWARD))) {
      const address = addressOf(rule);
      if (address !== undefined) listed.push({ address, mark: rule.mark, place: nameOf(place), found: rule });
    }
  }
  if (netfilter !== undefined)
    for (const { address, mark } of recordedIn(netfilter))
      listed.push({ address, mark, place: "nftables", found: undefined });
  return listed;
}

/** The ingress policies of bridges by their names, in all backends. @throws CniError, NetlinkError */
export async function policies(netfilter: Connection | undefined): Promise<Map<string, IngressPolicy>> {
  const found = new Map(netfilter === undefined ? [] : readState(netfilter).policies);
  for (const { family, connection } of placesWithRules(netfilter)) {
    const states =
      connection === undefined ? [await readLegacy(family)] : nftStates(connection, [family], []);
    for (const rule of states.flatMap((state) => rulesOf(state, STAGE_1))) {
      const bridge = bridgeOf(rule);
      const policy = rule.rule?.verdict === "drop" ? "isolated" : "same-bridge";
      if (bridge !== undefined) found.set(bridge, stricter(found.get(bridge) ?? "open", policy));
    }
  }
  return found;
}

/** What GC knows of the addresses. */
export interface Knowledge {
  /** Whether a lease of any network holds the address. */
  isHeld(address: IpAddress): boolean;
  /** Whether it is in a range of the network. */
  isOfNetwork(address: IpAddress): boolean;
}

/**
 * Removes the rules of the network's attachments that are not in `valid`. Rules without an owner are removed if their
 * address is of this network and no lease holds it. If `valid` is empty, the runtime may have lost its state (rule A39):
 * then the rules of addresses that are still held stay. Goes on past errors. Returns the addresses. @throws CniError
 */
export async function collect(
  network: string,
  valid: Iterable<ContainerInterface>,
  adminChain: string,
  { isHeld, isOfNetwork }: Knowledge,
): Promise<IpAddress[]> {
  using netfilter = openNftables();
  const failures = new Failures();
  const living = new Set<string>();
  for (const { containerId, ifname } of valid) living.add(attachmentMark({ network, containerId, ifname }));
  const own = networkMark(network);
  const removed: IpAddress[] = [];
  const isStale = (mark: string | undefined, address: IpAddress | undefined): boolean => {
    if (address === undefined) return false;
    const is =
      mark === undefined
        ? isOfNetwork(address) && !isHeld(address)
        : mark.startsWith(own) && !living.has(mark) && (living.size > 0 || !isHeld(address));
    if (is) removed.push(address);
    return is;
  };
  const isRemoved = (found: FoundRule): boolean => isStale(found.mark, addressOf(found));
  const isLeaving = (found: { mark: string; address: IpAddress }): boolean =>
    isStale(found.mark, found.address);
  await removeEverywhere(netfilter, { adminChain, isRemoved, isLeaving }, failures);
  failures.throwIfAny("failed to collect the firewall rules");
  return removed;
}
