/** Whether a container's interface is there before ADD: then a failed ADD is not undone by DEL, which would remove it. */
import { refusedWith } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { getLink, linkOf } from "../../netlink/rtnetlink/link.ts";
import { SystemError } from "../../sys/errno.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import type { Target } from "./attachment.ts";

/** False if the namespace cannot be entered, which ADD will report. @throws NetlinkError */
export function hasInterface({ netns, ifname }: Target): boolean {
  try {
    using namespace = Netns.open(netns);
    using inside = namespace.run(() => connect(protocol.route));
    return linkOf(inside.get(getLink({ name: ifname }))) !== undefined;
  } catch (error) {
    if (refusedWith(error, "ENODEV") || error instanceof NoNamespaceError || error instanceof SystemError)
      return false;
    throw error;
  }
}
