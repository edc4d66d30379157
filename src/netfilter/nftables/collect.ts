/** GC of the masquerade table (G1). */
import type { Connection } from "../../netlink/connection.ts";
import type { Rule } from "../../netlink/nftables/rule.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, markOf, networkMark } from "../owner.ts";
import { rulesMarked } from "./find.ts";
import { remove } from "./nftables.ts";

/** Removes rules of the network's attachments that are not valid, whoever has written them. @throws NetlinkError */
export function collectNftables(
  connection: Connection,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
): void {
  const living = new Set(valid.map((attachment) => attachmentMark({ network, ...attachment })));
  const isStale = (rule: Rule): boolean => !living.has(markOf(commentOf(rule.userData) ?? ""));
  remove(connection, () => rulesMarked(connection, networkMark(network), isStale));
}
