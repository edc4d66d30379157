/** What CHECK says of a state that is not as ADD left it. */
import { CniError, code } from "../../cni/error.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import type { PresentLink } from "./bridge-link.ts";

/** The error for a state that is not as ADD left it. */
export const lost = (message: string): CniError => new CniError(code.internal, message);

/** @throws CniError when the link is down; `role` is what it is for, in words. */
export function verifyUp(link: PresentLink, role: string): void {
  if (((link.flags ?? 0) & interfaceFlag.up) === 0) throw lost(`${role} ${link.name} is down`);
}
