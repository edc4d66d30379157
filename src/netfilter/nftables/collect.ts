/** GC of the masquerade table (G1). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeRule, dumpRules, type Rule } from "../../netlink/nftables/rule.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, markOf, networkMark } from "../attachment-names.ts";
import { dump, holds } from "../kernel.ts";
import { rulesMarked } from "./find.ts";
import { CHECKS } from "./layout.ts";
import { remove } from "./nftables.ts";

/** Removes rules of the network's attachments that are not valid, whoever has written them. @throws NetlinkError */
export function collectNftables(
  connection: Connection,
  network: string,
  valid: Iterable<ContainerInterface>,
): void {
  let stale: Set<string> | undefined;
  remove(connection, () => {
    stale ??= staleMarks(connection, network, valid);
    const isStale = (rule: Rule): boolean => stale?.has(markOf(commentOf(rule.userData) ?? "")) ?? false;
    return stale.size === 0 ? [] : rulesMarked(connection, networkMark(network), isStale);
  });
}

/** The marks that rules of the network have and no valid attachment. */
function staleMarks(
  connection: Connection,
  network: string,
  valid: Iterable<ContainerInterface>,
): Set<string> {
  const mark = networkMark(network);
  const marks = dump(connection, dumpRules(CHECKS), (message) => {
    const found = holds(message, mark) ? markOf(commentOf(decodeRule(message).userData) ?? "") : "";
    return found.startsWith(mark) ? found : undefined;
  });
  const stale = new Set(marks);
  if (stale.size > 0) for (const each of valid) stale.delete(attachmentMark({ network, ...each }));
  return stale;
}
