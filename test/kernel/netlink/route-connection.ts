/** Connections of rtnetlink for kernel tests, to the host and into a namespace. */
import { Connection } from "../../../src/netlink/connection.ts";
import { getLink, type Link, linkOf } from "../../../src/netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { Netns } from "../../../src/sys/netns.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";

/** To the network that this process is in. */
export const connectHost = (): Connection => new Connection(new NetlinkSocket(protocol.route));

/** To the network of a namespace. */
export function connectInside(namespace: NamedNamespace): Connection {
  using netns = Netns.open(namespace.path);
  return netns.run(connectHost);
}

/** A link that has to be there, with its index. */
export function linkNamed(connection: Connection, name: string): Link & { index: number } {
  const link = linkOf(connection.call(getLink({ name })));
  if (link?.index === undefined) throw new Error(`no link ${name}`);
  return { ...link, index: link.index };
}

/** What a call throws. @throws Error when it throws nothing */
export function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}
