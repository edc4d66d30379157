/**
 * DEL: removes all that an attachment has, whatever is left of it, any number of times (rules A29–A31, B33, G5,
 * G14, G15). Nothing here needs the namespace, the addresses or a prevResult, but for what the Go plugins made; one
 * failed step does not stop the next.
 */
import { delegateDel } from "../../cni/delegate.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import type { AddressUsers } from "../../links/address-users.ts";
import { connect } from "../../links/namespaces.ts";
import { hostVethNames, isAttachmentAlias } from "../../links/veth-identity.ts";
import { openNftables } from "../../netfilter/kernel.ts";
import { tearDown as tearDownMasquerade } from "../../netfilter/masquerade/tear-down.ts";
import { tearDown as tearDownSpoofCheck } from "../../netfilter/spoof-check/tear-down.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Link } from "../../netlink/rtnetlink/link.ts";
import { bridgeName, ipamType } from "./config.ts";
import { removeInterface } from "./remove-interface.ts";

export async function del(request: Request): Promise<void> {
  const ipam = ipamType(request.config.json);
  const failures = new Failures(request.time);
  // The kernel waits some 20 ms when rules go and when a link goes. For rules it does so when their socket is closed:
  // begun first and closed last, both waits pass at the same time (docs/decisions/0015-overlapping-waits.md).
  using rules = await failures.attempt(openNftables);
  await failures.attempt(() => tearDownMasquerade(request, rules));
  // Before the address: nothing may send from one that the next container can get.
  const removal = await failures.attempt(() => removeInterface(request));
  // A check belongs to its port. A link that names no attachment is not another attachment's port when it has the name of ours,
  // which was renamed; one of the Go plugin's is taken for this attachment's where the container can't be reached.
  const mayTake = ({ alias, name = "" }: Link): boolean =>
    removal !== undefined &&
    !isAttachmentAlias(alias) &&
    (!removal.isReached || hostVethNames(request).includes(name));
  await failures.attempt(() => tearDownSpoofCheck(request, mayTake, rules));
  if (ipam !== undefined && removal?.isGone === true) {
    await failures.attemptLast(() => delegateDel(request, ipam));
  } else if (ipam !== undefined && removal !== undefined) {
    await failures.attemptLast(() => delDoubtful(request, ipam));
  }
  failures.throwIfAny();
}

/**
 * DEL of the addresses when no interface was found: it is gone, as a rule, or it lives on where only its address tells
 * that it is the attachment's. The delegate asks before it frees an address that it has.
 */
async function delDoubtful(request: Request, ipam: string): Promise<void> {
  // Mostly no address is held any more, as when a DEL is repeated: then there is nothing to ask.
  let host: Connection | undefined;
  let users: AddressUsers | undefined;
  const userOf: Request["userOf"] = async (held, among) => {
    const { AddressUsers, stillThere } = await import("../../links/address-users.ts");
    const { config, network } = request;
    host ??= connect();
    users ??= new AddressUsers(host, { network, bridge: () => bridgeName(config.json) });
    const user = users.find(held, among);
    if (user?.isOwn !== true) return stillThere(user);
    users.remove(user, held, request.log);
    return undefined;
  };
  try {
    await delegateDel({ ...request, userOf }, ipam);
  } finally {
    host?.[Symbol.dispose]();
  }
}
