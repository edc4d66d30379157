/**
 * DEL: removes all that an attachment has, whatever is left of it, any number of times (rules A29–A31, B33, G5,
 * G14, G15). Nothing here needs the namespace, the addresses or a prevResult; one failed step does not stop the next.
 */
import { delegateDel } from "../../cni/delegate.ts";
import { toCniError } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Link } from "../../netlink/rtnetlink/link.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import { connect, connectInside } from "../namespaces.ts";
import { isOwnAlias, type Owner } from "./attachment.ts";
import { findLink, removeLink } from "./bridge-link.ts";
import { ipamType } from "./config.ts";
import { findHostVeth } from "./veth.ts";

export async function del(request: Request): Promise<void> {
  const ipam = ipamType(request.config.json);
  const owner = { network: request.config.name, containerId: request.containerId, ifname: request.ifname };
  const failures = new Failures(request.time);
  const { openNftables, tearDownMasquerade } = await import("../../netfilter/masquerade.ts");
  const { tearDownSpoofCheck } = await import("../../netfilter/spoof-check.ts");
  // The kernel waits some 20 ms when rules go and when a link goes. For rules it does so when their socket is closed:
  // begun first and closed last, both waits pass at the same time (docs/decisions/0015-overlapping-waits.md).
  using rules = await failures.attempt(openNftables);
  await failures.attempt(() => tearDownMasquerade(owner, rules));
  // Before the address: nothing may send from one that the next container can get.
  const removed = await failures.attempt(() => removeInterface(request, owner));
  // A check belongs to its port. One of the Go plugin's, which says no owner, is taken for this attachment's where the
  // container's end can't be reached.
  const mayTake = ({ alias }: Link): boolean => removed?.isReached === false && !isOwnAlias(alias);
  await failures.attempt(() => tearDownSpoofCheck(owner, { mayTake, connection: rules }));
  if (ipam !== undefined && removed) await failures.attemptLast(() => delegateDel(request, ipam));
  failures.throwIfAny();
}

/**
 * Removes the pair by the container's end, and by the host's where that can't be reached. Returns when it is gone, since
 * the address of an interface that stays must not go to another container, and says whether the container was reached.
 */
function removeInterface(request: Request, owner: Owner): { isReached: boolean } {
  let isReached = false;
  let obstacle: unknown;
  try {
    using netns = openIfThere(request.netns);
    if (netns !== undefined) {
      using container = connectInside(netns);
      removeContainerEnd(container, request);
      isReached = true;
    }
  } catch (error) {
    obstacle = error;
  }
  using host = connect();
  const left = findHostVeth(host, owner);
  if (left !== undefined) removeLink(host, left);
  else if (obstacle !== undefined) throw obstacle;
  return { isReached };
}

/** Only a veth can be ours: another kind of link under that name belongs to somebody else. */
function removeContainerEnd(container: Connection, request: Request): void {
  const link = findLink(container, request.ifname);
  if (link === undefined) return;
  if (link.kind === "veth") removeLink(container, link);
  else request.log(`${JSON.stringify(request.ifname)} in ${request.netns} is no veth: left alone`);
}

/** The namespace, or undefined when it is gone or its path leads to something else by now. */
function openIfThere(path: string): Netns | undefined {
  if (path === "") return undefined;
  try {
    return Netns.open(path);
  } catch (error) {
    if (error instanceof NoNamespaceError) return undefined;
    throw toCniError(error).during(`cannot open netns ${JSON.stringify(path)}`);
  }
}
