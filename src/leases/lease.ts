/** What is in a lease file (rules H50, H53). */
import type { ContainerInterface } from "../cni/attachment.ts";
import type { ValidAttachments } from "../cni/attachments.ts";

/**
 * What the content of an attachment's lease can be: that of new files, without a final newline, and that of files from
 * before interfaces had names in it, which stands for each interface of the container.
 */
export function contentsOf({ containerId, ifname }: ContainerInterface): [content: string, old: string] {
  const id = trimmed(containerId);
  return [`${id}\r\n${ifname}`, id];
}

/** The whole content of a lease file. */
export const leaseContent = (attachment: ContainerInterface): string => contentsOf(attachment)[0];

/** The attachment that a trimmed content names; without an interface's name for the old content. */
export function attachmentOf(content: string): ContainerInterface {
  const [containerId = "", ifname = ""] = content.split("\r\n");
  return { containerId, ifname };
}

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

/** Whether a trimmed content names an attachment at all. A file that does not is never removed. */
export const isLeaseContent = (content: string): boolean =>
  /^[^\p{White_Space}/]+(\r\n[^\p{White_Space}/]+)?$/u.test(content);

/** Whether a trimmed content names one of the attachments. */
export function isLeaseOf(content: string, attachments: ValidAttachments): boolean {
  const attachment = attachmentOf(content);
  return attachment.ifname === ""
    ? attachments.hasContainer(attachment.containerId)
    : attachments.has(attachment);
}

/** For messages: the two lines of a content as one. */
export function describeContent(content = ""): string {
  const { containerId, ifname } = attachmentOf(content);
  return ifname === "" ? `container ${containerId}` : `container ${containerId}, interface ${ifname}`;
}
