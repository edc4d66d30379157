/** What CHECK says of a state that is not as ADD left it. */
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import type { PresentLink } from "./bridge-link.ts";

/** All that CHECK finds lost: one error names it all. */
export class Losses extends Failures {
  /** Notes a state that is not as ADD left it. */
  report(message: string): void {
    this.add(new CniError(code.internal, message));
  }

  /** Notes a link that is down; `role` is what it is for, in words. */
  verifyUp(link: PresentLink, role: string): void {
    if (((link.flags ?? 0) & interfaceFlag.up) === 0) this.report(`${role} ${link.name} is down`);
  }
}
