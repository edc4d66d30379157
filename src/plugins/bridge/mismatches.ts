/** Collects what CHECK finds, for one error. */
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Interface } from "../../cni/result.ts";
import type { PresentLink } from "../../links/link.ts";
import { formatMac } from "../../net/mac.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";

/** Mismatches between the state that ADD left and the present one. */
export class Mismatches extends Failures {
  report(message: string): void {
    this.add(new CniError(code.internal, message));
  }

  /** Reports a link that is down; `role` describes the link. */
  verifyUp({ name, flags = 0 }: PresentLink, role: string): void {
    if ((flags & interfaceFlag.up) === 0) this.report(`${role} ${name} is down`);
  }

  /** Reports a MAC that differs from the one in the result, with `message` in front. */
  verifyMac({ mac }: PresentLink, reported: Interface | undefined, message: string): void {
    const found = formatMac(mac ?? new Uint8Array());
    if (reported?.mac !== undefined && reported.mac.toLowerCase() !== found)
      this.report(`${message}: ${reported.mac} was reported, ${found} is there`);
  }
}
