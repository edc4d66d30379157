/** Reads and writes the content of a lease file (rules H50, H53). */
import type { ContainerInterface } from "../cni/attachment.ts";
import type { ValidAttachments } from "../cni/attachments.ts";

/**
 * The two possible contents of an attachment's lease. New files have the first one, without a final newline. The old
 * format has no interface name, and so means each interface of the container.
 */
export function contentsOf({ containerId, ifname }: ContainerInterface): [content: string, old: string] {
  const id = trimmed(containerId);
  return [`${id}\r\n${ifname}`, id];
}

/** The whole content of a lease file. */
export const leaseContent = (attachment: ContainerInterface): string => contentsOf(attachment)[0];

/** The attachment that a trimmed content names; `ifname` is empty in the old format. */
export function attachmentOf(content: string): ContainerInterface {
  const [containerId = "", ifname = ""] = content.split("\r\n");
  return { containerId, ifname };
}

/**
 * The content without Unicode white space around it, as the Go plugin trims it (rule H53). JavaScript's trim() would
 * also remove U+FEFF, with which an interface's name may end.
 */
export function trimmed(content: string): string {
  let start = 0;
  let end = content.length;
  while (start < end && isSpace(content, start)) start++;
  while (start < end && isSpace(content, end - 1)) end--;
  return content.slice(start, end);
}

/** Plain characters need no regular expression: the first one in a process takes 0.06 ms. */
function isSpace(text: string, at: number): boolean {
  const character = text.charCodeAt(at);
  if (character > 0x20 && character < 0x7f) return false;
  return /\p{White_Space}/u.test(text.charAt(at));
}

/** Whether a trimmed content has the form of a lease. A file with any other content is never removed. */
export const isLeaseContent = (content: string): boolean =>
  /^[^\p{White_Space}/]+(\r\n[^\p{White_Space}/]+)?$/u.test(content);

/** Whether a trimmed content names one of the attachments. */
export function isLeaseOf(content: string, attachments: ValidAttachments): boolean {
  const attachment = attachmentOf(content);
  return attachment.ifname === ""
    ? attachments.hasContainer(attachment.containerId)
    : attachments.has(attachment);
}

/** The attachment that a content names, for messages. */
export function describeContent(content = ""): string {
  const { containerId, ifname } = attachmentOf(content);
  return ifname === "" ? `container ${containerId}` : `container ${containerId}, interface ${ifname}`;
}
