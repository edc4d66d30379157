/** Which veth of the host is an attachment's (rules B33, G5, G19): by what it carries, whatever it is called now. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Interface, Result } from "../../cni/result.ts";
import { formatMac, type Mac } from "../../net/mac.ts";
import { present } from "../../netlink/attribute.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { decodeLink, dumpLinks, getLink, type Link } from "../../netlink/rtnetlink/link.ts";
import { findLink } from "./bridge-link.ts";
import { attachmentAlias, hostVethMac, hostVethNames, isAttachmentAlias } from "./veth-identity.ts";

/** Whose a link is: "unmarked" is one that says nothing, as those that the Go plugins make. */
export type Claim = "own" | "another's" | "unmarked";

/** What is of interest of a veth on the host. */
export type HostVeth = Pick<
  Link,
  "mac" | "alias" | "master" | "peerIndex" | "linkNetnsId" | "targetNetnsId"
> & {
  readonly index: number;
  readonly name: string;
  readonly kind: "veth";
};

/** What the two ends were when they were made, as a result of ADD reports them (rule B16). */
export interface ReportedEnds {
  readonly host: Interface | undefined;
  readonly container: Interface | undefined;
}

/** The ends of the pair in a result: the host's stands right before the container's. */
export function reportedEnds({ interfaces }: Result, ifname: string): ReportedEnds {
  const at = interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox !== undefined);
  const before = interfaces[at - 1];
  return { host: before?.sandbox === undefined ? before : undefined, container: interfaces[at] };
}

/** What a veth has on it when it is the host's end of an attachment. */
export class OwnMarks {
  private readonly attachment: Attachment;
  private readonly alias: string;
  private readonly reported: () => Interface | undefined;
  private macs: ReadonlySet<string> | undefined;

  /**
   * `reported` is the host's end as ADD reported it: its MAC is all that is known of a pair that the Go plugins made.
   * It is asked for when there is a link without an alias.
   */
  constructor(attachment: Attachment, reported: () => Interface | undefined = () => undefined) {
    this.attachment = attachment;
    this.alias = attachmentAlias(attachment);
    this.reported = reported;
  }

  /** Whose a link of the host is. An alias of ours counts before the MAC. */
  claim({ kind, alias, mac }: Link): Claim {
    if (kind !== "veth") return "another's";
    if (alias === this.alias) return "own";
    if (alias !== undefined && isAttachmentAlias(alias)) return "another's";
    return mac !== undefined && this.hasMac(mac) ? "own" : "unmarked";
  }

  private hasMac(mac: Mac): boolean {
    this.macs ??= macsOf(this.attachment, this.reported());
    return this.macs.has(formatMac(mac));
  }
}

function macsOf(attachment: Attachment, reported: Interface | undefined): Set<string> {
  const macs = new Set<string>();
  if (reported?.mac !== undefined) macs.add(reported.mac.toLowerCase());
  for (const name of hostVethNames(attachment)) macs.add(formatMac(hostVethMac(attachment.network, name)));
  return macs;
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
  host.dump(dumpLinks({ kind: "veth", ...present({ targetNetnsId: inNetns }) }), ({ payload }) => {
    const { index, name, kind, mac, alias, master, peerIndex, linkNetnsId, targetNetnsId } =
      decodeLink(payload);
    if (index === undefined || name === undefined || kind !== "veth") return undefined;
    const known = present({ mac, alias, master, peerIndex, linkNetnsId, targetNetnsId });
    return keep({ index, name, kind, ...known });
  });

/**
 * The host's ends that carry the marks: found by one of the names, which is one question whatever the number of
 * containers, else among all veths.
 */
export function findOwnVeths(
  host: Connection,
  marks: OwnMarks,
  names: readonly string[],
): readonly { readonly index: number }[] {
  for (const name of names) {
    const named = findLink(host, name);
    if (named !== undefined && marks.claim(named) === "own") return [named];
  }
  return host.dump(dumpLinks({ kind: "veth" }), ({ payload }) => {
    const link = decodeLink(payload);
    return marks.claim(link) === "own" && link.index !== undefined ? { index: link.index } : undefined;
  });
}

/** Whether the other end is in another namespace, which may be about to end. */
export const isElsewhere = (veth: HostVeth): veth is HostVeth & { linkNetnsId: number } =>
  veth.linkNetnsId !== undefined && veth.linkNetnsId >= 0;

/**
 * Whether the other end is in another namespace that lives. When one ends the kernel takes it apart in its own time, with
 * all pairs that lead there, but it answers no question about it any more. Kernels before 5.0 can't be asked: true.
 */
export function livesElsewhere(host: Connection, veth: HostVeth): boolean {
  if (!isElsewhere(veth)) return false;
  const { linkNetnsId: targetNetnsId, peerIndex: index = 0 } = veth;
  const [outcome] = host.askAll([getLink({ index, targetNetnsId })]);
  return !refusedWith(outcome?.error, "EINVAL");
}

/** A host veth for messages. */
export const describeHostEnd = ({ name, alias }: HostVeth): string =>
  `host veth ${JSON.stringify(name)}${alias === undefined ? "" : ` (${alias})`}`;
