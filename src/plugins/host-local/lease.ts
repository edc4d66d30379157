/** What is in a lease file (rules H50, H53). */

import type { ValidAttachments } from "../../cni/attachments.ts";

/** Whom an address belongs to. */
export interface Owner {
  readonly containerId: string;
  readonly ifname: string;
}

/** The whole content of a lease file: no final newline. */
export const leaseContent = ({ containerId, ifname }: Owner): string => `${containerId.trim()}\r\n${ifname}`;

/** The content of files from before interfaces had names in it; it stands for each interface of the container. */
export const oldContent = ({ containerId }: Owner): string => containerId.trim();

/** Whether a trimmed content names an attachment at all. A file that doesn't is nobody's to remove. */
export const isLeaseContent = (content: string): boolean => /^[^\s/]+(\r\n[^\s/]+)?$/.test(content);

/** Whether a trimmed content names one of the attachments. */
export function isLeaseOf(content: string, attachments: ValidAttachments): boolean {
  const [containerId = "", ifname] = content.split("\r\n");
  return ifname === undefined
    ? attachments.hasContainer(containerId)
    : attachments.has({ containerId, ifname });
}

/** For messages: the two lines of a content as one. */
export function describeContent(content: string): string {
  const [containerId = "", ifname] = content.split("\r\n");
  return ifname === undefined ? `container ${containerId}` : `container ${containerId}, interface ${ifname}`;
}
