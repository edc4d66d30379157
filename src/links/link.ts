/** Finds links of a namespace, creates them with their undo, deletes them, and lists the ports of a bridge. */
import type { UndoStack } from "../cni/undo.ts";
import { localMac, type Mac, sameMac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { type NetlinkError, refusedWith } from "../netlink/error.ts";
import {
  addLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  type Link,
  linkOf,
} from "../netlink/rtnetlink/link.ts";
import { randomBytes } from "../sys/random.ts";

/** A link that exists, and so has an index and a name. */
export type PresentLink = Link & { index: number; name: string };

/** The link of that name or index, or undefined. */
export function findLink(
  connection: Connection,
  wanted: string | { readonly index: number },
): PresentLink | undefined {
  const [outcome] = connection.getAll([getLink(typeof wanted === "string" ? { name: wanted } : wanted)]);
  // ERANGE: the name is too long, so no link can have it.
  if (refusedWith(outcome?.error, "ENODEV", "ERANGE")) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  const link = linkOf(outcome?.replies ?? []);
  return link?.index !== undefined && link.name !== undefined ? (link as PresentLink) : undefined;
}

/** What a step needs to change the host. */
export interface Change {
  readonly host: Connection;
  /** The undo of each change is pushed before the change. */
  readonly undo: UndoStack;
  readonly log: (line: string) => void;
}

/** The outcome of creating a link. */
export interface NewLink {
  /** Set by the caller. The undo then finds the link by it, since other programs may rename a link or change its MAC. */
  index?: number;
  error: NetlinkError | undefined;
}

/**
 * Creates a link with the given MAC. Its undo passes the link to `takeBack`. Until the index is known, the undo takes a
 * link of that name for this one if it has the MAC and no alias: a link with an alias was made by an earlier ADD.
 */
export function makeLink(
  { host, undo }: Change,
  link: Link & { name: string; mac: Mac },
  takeBack = (own: PresentLink): void => removeLink(host, own),
): NewLink {
  const made: NewLink = { error: undefined };
  undo.push(`${link.kind} ${JSON.stringify(link.name)}`, () => {
    const { index } = made;
    const found = findLink(host, index === undefined ? link.name : { index });
    if (found?.mac === undefined) return;
    if (index !== undefined || (found.alias === undefined && sameMac(found.mac, link.mac))) takeBack(found);
  });
  made.error = host.callAll([addLink(link)])[0]?.error;
  if (made.error !== undefined) undo.drop();
  return made;
}

/** Deletes a link. A missing link is success (rule A29). */
export function removeLink(connection: Connection, { index }: { readonly index: number }): void {
  const [outcome] = connection.callAll([deleteLink({ index })]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "ENODEV")) throw outcome.error;
}

/** All ports of the bridge. */
export const portsOf = (host: Connection, bridge: { readonly index: number }) =>
  host.dump(dumpLinks({ master: bridge.index }), ({ payload }) => {
    const { index = 0, name = "", mtu = 0, master } = decodeLink(payload);
    // Kernels without the filter send all links.
    return master === bridge.index ? { index, name, mtu } : undefined;
  });

/** A random locally administered unicast address. */
export const randomMac = (): Mac => localMac(randomBytes(6));
