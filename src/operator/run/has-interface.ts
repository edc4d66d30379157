/** Whether a container's interface is there before ADD: then a failed ADD is not undone by DEL, which would remove it. */
import { findLink } from "../../links/link.ts";
import { lookInside } from "../namespaces.ts";
import type { Target } from "./attachment.ts";

/** False if the namespace cannot be entered, which ADD will report. @throws NetlinkError */
export const hasInterface = ({ netns, ifname }: Target): boolean =>
  lookInside(netns, (inside) => findLink(inside, ifname)) !== undefined;
