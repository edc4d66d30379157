/** Which veth of the host is an attachment's (rules B33, G5, G19): by what it carries, whatever it is called now. */
import type { Attachment } from "../cni/attachment.ts";
import { CniError, code } from "../cni/error.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { decodeLink, dumpLinks, getLink } from "../netlink/rtnetlink/link.ts";
import { attachmentAlias, hostVethMac, hostVethNames, isAttachmentAlias } from "./veth-identity.ts";

/** Whose a link is: "unmarked" is one that says nothing, as those that the Go plugins make. */
export type Claim = "own" | "another's" | "unmarked";

/** What says whose a link is. */
export interface Marks {
  readonly kind?: string | undefined;
  readonly alias?: string | undefined;
  readonly mac?: Mac | undefined;
}

/** What is of interest of a veth on the host; fields as in Link. */
export interface HostVeth extends Marks {
  readonly index: number;
  readonly name: string;
  readonly master: number | undefined;
  readonly peerIndex: number | undefined;
  readonly linkNetnsId: number | undefined;
  readonly targetNetnsId: number | undefined;
}

/**
 * Tells whose links of the host are. An alias of ours counts before the MAC. `reportedMac` gives that of the host's end as
 * ADD reported it, which is all that is known of a pair that the Go plugins made: asked for when a link has no alias.
 */
export function claimsOf(
  attachment: Attachment,
  reportedMac?: () => string | undefined,
): (link: Marks) => Claim {
  const own = attachmentAlias(attachment);
  let macs: Set<string | undefined> | undefined;
  return ({ kind, alias, mac }) => {
    if (kind !== "veth") return "another's";
    if (alias === own) return "own";
    if (isAttachmentAlias(alias)) return "another's";
    if (mac === undefined) return "unmarked";
    macs ??= new Set([
      reportedMac?.()?.toLowerCase(),
      ...hostVethNames(attachment).map((name) => formatMac(hostVethMac(attachment.network, name))),
    ]);
    return macs.has(formatMac(mac)) ? "own" : "unmarked";
  };
}

/**
 * What `keep` makes of each veth of the connection's namespace, or of the one that the kernel has a number for there.
 * Kernels before 4.20 send all links.
 */
export const dumpVeths = <T>(
  host: Connection,
  keep: (veth: HostVeth) => T | undefined,
  inNetns?: number,
): T[] =>
  host.dump(
    dumpLinks({ kind: "veth", ...(inNetns !== undefined && { targetNetnsId: inNetns }) }),
    ({ payload }) => {
      const { index, name, kind, mac, alias, master, peerIndex, linkNetnsId, targetNetnsId } =
        decodeLink(payload);
      if (index === undefined || name === undefined || kind !== "veth") return undefined;
      return keep({ index, name, kind, mac, alias, master, peerIndex, linkNetnsId, targetNetnsId });
    },
  );

/**
 * Whether the other end is in another namespace that lives. When one ends the kernel takes it apart in its own time, with
 * all pairs that lead there, but it answers no question about it any more. Kernels before 5.0 can't be asked: true.
 */
export function livesElsewhere(host: Connection, { linkNetnsId = -1, peerIndex = 0 }: HostVeth): boolean {
  if (linkNetnsId < 0) return false;
  const [outcome] = host.getAll([getLink({ index: peerIndex, targetNetnsId: linkNetnsId })]);
  return !refusedWith(outcome?.error, "EINVAL");
}

/** A host veth for messages. */
export const describeHostEnd = ({ name, alias }: HostVeth): string =>
  `host veth ${JSON.stringify(name)}${alias === undefined ? "" : ` (${alias})`}`;

/**
 * Refuses the second ADD of an attachment that lives in another namespace. An IPAM of this process does that by itself, and
 * asks before it frees the address again; any other would free the address of the living container when its ADD fails (A45).
 * @throws CniError when a host veth other than `own` is the attachment's, with a living namespace at its other end.
 */
export function refuseSecond(
  host: Connection,
  attachment: Attachment,
  own: { readonly index: number },
): void {
  const claim = claimsOf(attachment);
  const others = dumpVeths(host, (veth) =>
    veth.index !== own.index && claim(veth) === "own" ? veth : undefined,
  );
  const other = others.find((veth) => livesElsewhere(host, veth));
  if (other === undefined) return;
  throw new CniError(
    code.internal,
    `cannot add container ${JSON.stringify(attachment.containerId)} again: ${describeHostEnd(other)} is its interface in another namespace; DEL that attachment first`,
  );
}
