/** What is in a lease file (rules H50, H53). */

import type { ContainerInterface } from "../cni/attachment.ts";
import type { ValidAttachments } from "../cni/attachments.ts";

/** The whole content of a lease file: no final newline. */
export const leaseContent = ({ containerId, ifname }: ContainerInterface): string =>
  `${trimmed(containerId)}\r\n${ifname}`;

/** The content of files from before interfaces had names in it; it stands for each interface of the container. */
export const oldContent = ({ containerId }: ContainerInterface): string => trimmed(containerId);

/** What the content of an attachment's lease can be. */
export const contentsOf = (attachment: ContainerInterface): readonly string[] => [
  leaseContent(attachment),
  oldContent(attachment),
];

/**
 * A content without white space around it (rule H53): Unicode's, as the Go plugin has it. JavaScript's trim() takes
 * U+FEFF for white space too, with which an interface's name may end.
 */
export function trimmed(content: string): string {
  let [start, end] = [0, content.length];
  while (start < end && isSpace(content, start)) start++;
  while (start < end && isSpace(content, end - 1)) end--;
  return content.slice(start, end);
}

/** Plain characters are recognized without a regular expression, of which the first in a process takes 0.06 ms. */
function isSpace(text: string, at: number): boolean {
  const character = text.charCodeAt(at);
  if (character > 0x20 && character < 0x7f) return false;
  return /\p{White_Space}/u.test(text.charAt(at));
}

/** Whether a trimmed content names an attachment at all. A file that doesn't is never removed. */
export const isLeaseContent = (content: string): boolean =>
  /^[^\p{White_Space}/]+(\r\n[^\p{White_Space}/]+)?$/u.test(content);

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
