/** Finds the host veth of an attachment by its alias and MAC, whatever its name (rules B33, G5, G19). */
import type { Attachment } from "../cni/attachment.ts";
import { CniError, code } from "../cni/error.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { decodeLink, dumpLinks, getLink } from "../netlink/rtnetlink/link.ts";
import { attachmentAlias, hostVethMac, hostVethNames, isAttachmentAlias } from "./veth-identity.ts";

/** To which attachment a link belongs. "unmarked": it does not show that, as a link that the Go plugins made. */
export type Claim = "own" | "another's" | "unmarked";

/** The fields of a link that show its attachment. */
export interface Marks {
  readonly kind?: string | undefined;
  readonly alias?: string | undefined;
  readonly mac?: Mac | undefined;
}

/** A veth on the host; fields as in Link. */
export interface HostVeth extends Marks {
  readonly index: number;
  readonly name: string;
  readonly master: number | undefined;
  readonly peerIndex: number | undefined;
  readonly linkNetnsId: number | undefined;
  readonly targetNetnsId: number | undefined;
}

/**
 * Returns a function that says whether a link of the host is the attachment's. An alias of ours counts before the MAC.
 * `reportedMac` returns the MAC of the host's end from ADD's result, the only mark of a pair that the Go plugins made. It is
 * called only for a link without an alias.
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
 * Calls `keep` for each veth of the connection's namespace, or of the one with the number `inNetns`, and returns its results.
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
 * Whether the other end is in another namespace that still lives. When a namespace ends, the kernel deletes its pairs some
 * time later, but answers requests about it with EINVAL at once. Kernels before 5.0 can't answer: then the result is true.
 */
export function livesElsewhere(host: Connection, { linkNetnsId = -1, peerIndex = 0 }: HostVeth): boolean {
  if (linkNetnsId < 0) return false;
  const [outcome] = host.getAll([getLink({ index: peerIndex, targetNetnsId: linkNetnsId })]);
  return !refusedWith(outcome?.error, "EINVAL");
}

/** Text for a host veth in messages. */
export const describeHostEnd = ({ name, alias }: HostVeth): string =>
  `host veth ${JSON.stringify(name)}${alias === undefined ? "" : ` (${alias})`}`;

/**
 * Refuses the second ADD of an attachment that lives in another namespace. An IPAM plugin of this process does so itself;
 * any other would free the address of the living container when its ADD fails (A45).
 * @throws CniError if another host veth than `own` is the attachment's and leads to a living namespace.
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
