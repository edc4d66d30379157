/** Links of a namespace: found, made with their undo, deleted; and the ports of a bridge. */
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

/** A link that the kernel has: with index and name. */
export type PresentLink = Link & { index: number; name: string };

/** The link of that name or index, or undefined. */
export function findLink(
  connection: Connection,
  wanted: string | { readonly index: number },
): PresentLink | undefined {
  const [outcome] = connection.getAll([getLink(typeof wanted === "string" ? { name: wanted } : wanted)]);
  // ERANGE: longer than any interface's name. What can't exist is not there.
  if (refusedWith(outcome?.error, "ENODEV", "ERANGE")) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  const link = linkOf(outcome?.replies ?? []);
  return link?.index !== undefined && link.name !== undefined ? (link as PresentLink) : undefined;
}

/** What changes on the host are made with: the undo of each is pushed before it, and `log` says what went less well. */
export interface Change {
  readonly host: Connection;
  readonly undo: UndoStack;
  readonly log: (line: string) => void;
}

/** A link that was asked for: how it ended, and what its undo knows it by. */
export interface NewLink {
  /** Set when it is known: the undo goes by it then, since others may rename a link, or give it another MAC. */
  index?: number;
  error: NetlinkError | undefined;
}

/**
 * Has the kernel make a link, which has a MAC of its own. Its undo hands the link to `takeBack`; until its index is known,
 * the MAC tells it from another of that name, and having no alias yet from one that an earlier ADD of the same attachment
 * has made.
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

/** Deletes a link; one that is gone is success (rule A29). */
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

/** A random locally administered unicast address, for a link for which none was asked. */
export const randomMac = (): Mac => localMac(randomBytes(6));
