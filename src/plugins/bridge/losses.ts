/** What CHECK says of a state that is not as ADD left it. */
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Interface } from "../../cni/result.ts";
import type { PresentLink } from "../../links/link.ts";
import { formatMac } from "../../net/mac.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";

/** All that CHECK finds lost: one error names it all. */
export class Losses extends Failures {
  /** Notes a state that is not as ADD left it. */
  report(message: string): void {
    this.add(new CniError(code.internal, message));
  }

  /** Notes a link that is down; `role` is what it is for, in words. */
  verifyUp({ name, flags = 0 }: PresentLink, role: string): void {
    if ((flags & interfaceFlag.up) === 0) this.report(`${role} ${name} is down`);
  }

  /** Notes a MAC that is not the reported one, with `message` in front. */
  verifyMac({ mac }: PresentLink, reported: Interface | undefined, message: string): void {
    const found = formatMac(mac ?? new Uint8Array());
    if (reported?.mac !== undefined && reported.mac.toLowerCase() !== found)
      this.report(`${message}: ${reported.mac} was reported, ${found} is there`);
  }
}
