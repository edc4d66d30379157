/** Which interface of which namespace saved settings were taken from, so that no other one gets them (rules T32, T34). */
import type { Attachment } from "../../cni/attachment.ts";
import {
  formatRecord,
  isSameNetns,
  type NetnsRecord,
  parseRecord,
  recordOf,
} from "../../leases/netns-record.ts";
import type { Netns } from "../../sys/netns.ts";
import type { Origin } from "./saved-state.ts";

/** A record is for one text. None of the parts can contain a "/". */
const textOf = ({ network, containerId, ifname }: Attachment): string =>
  `${network}/${containerId}/${ifname}`;

/** The origin of the settings of the interface with this index. @throws SystemError */
export function originOf(attachment: Attachment, netns: Netns, index: number): Origin {
  const { network, containerId, ifname } = attachment;
  const record = recordOf(netns);
  const text = record === undefined ? "" : formatRecord(record, textOf(attachment));
  return { network, containerId, ifname, index, netns: text };
}

/** The record of the origin's namespace; undefined if it has none. */
export const recordIn = (origin: Origin): NetnsRecord | undefined =>
  parseRecord(origin.netns, textOf(origin));

/** Whether the settings were taken in this namespace, as far as that can be proven. @throws SystemError */
export function isFrom(origin: Origin, netns: Netns): boolean {
  const [then, now] = [recordIn(origin), recordOf(netns)];
  return then !== undefined && now !== undefined && isSameNetns(then, now);
}
