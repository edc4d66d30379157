/** The same attachment, added a second time while it lives in another namespace. */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import type { Connection } from "../../netlink/connection.ts";
import { describeHostEnd, dumpVeths, livesElsewhere, OwnMarks } from "./own-veth.ts";

/**
 * Refuses it. An IPAM of this process does that by itself, and asks before it frees the address again; any other would
 * free the address of the living container when its ADD fails (rule A45).
 * @throws CniError when a host veth other than `own` is the attachment's, with a living namespace at its other end.
 */
export function refuseSecond(
  host: Connection,
  attachment: Attachment,
  own: { readonly index: number },
): void {
  const marks = new OwnMarks(attachment);
  const others = dumpVeths(host, (veth) =>
    veth.index !== own.index && marks.claim(veth) === "own" ? veth : undefined,
  );
  const other = others.find((veth) => livesElsewhere(host, veth));
  if (other === undefined) return;
  throw new CniError(
    code.internal,
    `cannot add container ${JSON.stringify(attachment.containerId)} again: ${describeHostEnd(other)} is its interface in another namespace; DEL that attachment first`,
  );
}
