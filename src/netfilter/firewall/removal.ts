/** Removes rules of attachments from all places that have some (rules F30, F31, F33). */
import type { Attachment } from "../../cni/attachment.ts";
import type { Failures } from "../../cni/failures.ts";
import { type IpAddress, sameIp } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { attachmentMark } from "../attachment-names.ts";
import { isUnsupported } from "../kernel.ts";
import { HostBridges } from "./bridges.ts";
import { placesWithRules, updatePlaces } from "./filter-table.ts";
import { addressOf, parseRecord } from "./layout.ts";
import { removeNftables } from "./nftables-removal.ts";
import type { IsRemoved } from "./plan.ts";
import { planRemoval, rulesOfAttachment } from "./plan-removal.ts";
import type { Interest } from "./state.ts";
import type { Recorded } from "./table-state.ts";

/** The chain that networks without a configured one use. */
export const DEFAULT_ADMIN_CHAIN = "CNI-ADMIN";

/** What identifies an attachment's rules. */
export interface Leaving {
  readonly attachment: Attachment;
  /** The administrator's chain and the zone, as configured. */
  readonly adminChain: string;
  /** Undefined if no address is to be taken out of it. */
  readonly zone: string | undefined;
  /** Its bridge, if the previous result names it. */
  readonly bridge: string | undefined;
  /**
   * Addresses that no other container has: rules without an owner, as the reference's, and sources of firewalld that are
   * about them are removed too. Called only if there is anything to remove.
   */
  readonly addresses: () => readonly IpAddress[];
  /** Called with each port of a bridge that ADD has isolated, before the record of that is removed. */
  readonly release?: (port: string) => void;
}

/** What is removed. */
interface Removal {
  readonly adminChain: string;
  readonly bridge?: string | undefined;
  readonly interest?: Interest;
  /** Of the rules of iptables, and of the addresses of the own table. */
  readonly isRemoved: IsRemoved;
  readonly isLeaving: (found: Recorded) => boolean;
}

/** Removes from each place; errors are added to `failures`. */
export async function removeEverywhere(
  netfilter: Connection | undefined,
  { adminChain, bridge, interest, isRemoved, isLeaving }: Removal,
  failures: Failures,
): Promise<void> {
  using bridges = new HostBridges();
  const places = (await failures.attemptLast(() => placesWithRules(netfilter))) ?? [];
  const adminChains = [...new Set([adminChain, DEFAULT_ADMIN_CHAIN])];
  // In nf_tables both families together, in x_tables each by itself.
  const groups = [places.filter(({ connection }) => connection !== undefined)];
  for (const place of places) if (place.connection === undefined) groups.push([place]);
  for (const group of groups) {
    await ifSupported(failures, () =>
      updatePlaces(group, adminChains, interest, (state) => planRemoval(state, isRemoved, bridges, bridge)),
    );
  }
  const mark = interest && attachmentMark(interest.attachment);
  await ifSupported(failures, () => {
    if (netfilter !== undefined) removeNftables(netfilter, isLeaving, bridges, mark);
  });
}

/** Removes an attachment's rules. Returns the addresses that they were about. */
export async function removeRules(
  netfilter: Connection | undefined,
  { attachment, adminChain, bridge, addresses, release }: Leaving,
  failures: Failures,
): Promise<readonly IpAddress[]> {
  const known = (await failures.attemptLast(addresses)) ?? [];
  const mark = attachmentMark(attachment);
  const isRemoved = rulesOfAttachment(attachment, known);
  const removed: IpAddress[] = [...known];
  const released = new Set<string>();
  const note = (address: IpAddress | undefined, port: string | undefined): void => {
    if (address !== undefined && !removed.some((each) => sameIp(each, address))) removed.push(address);
    if (port === undefined || released.has(port)) return;
    released.add(port);
    release?.(port);
  };
  await removeEverywhere(
    netfilter,
    {
      adminChain,
      bridge,
      interest: { attachment, addresses: known, isLeaving: true },
      isRemoved: (found) => {
        const is = isRemoved(found);
        if (is) note(addressOf(found), parseRecord(found.ingress)?.isolatedPort);
        return is;
      },
      isLeaving: (found) => {
        const is = found.mark === mark;
        if (is) note(found.address, found.ingress?.isolatedPort);
        return is;
      },
    },
    failures,
  );
  return removed;
}

/** Takes the attachment's addresses out of the zone of firewalld, if that runs. */
export async function removeSources(
  { zone, addresses }: Leaving,
  found: readonly IpAddress[],
): Promise<void> {
  if (zone === undefined) return;
  const { isRunning } = await import("../firewalld/firewalld.ts");
  if (!isRunning()) return;
  const { remove } = await import("./zone.ts");
  await remove(zone, found.length > 0 ? found : addresses());
}

/** Runs a step and keeps its failure, unless the kernel has no nf_tables for a family and so no rules. */
const ifSupported = (failures: Failures, step: () => Promise<void> | void): Promise<void> =>
  failures.attemptLast(async () => {
    try {
      await step();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  }) as Promise<void>;
