/**
 * DEL: removes whatever exists of an attachment, and may be repeated (rules A29–A31, B33, G5, G14, G15). It needs the
 * namespace, the addresses and prevResult only for what the Go plugins made. A failed step does not stop the next one.
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
  // The kernel waits some 20 ms for deleted rules, when their socket is closed, and as long for a deleted link. The socket
  // is opened first and closed last, so that both waits overlap (docs/decisions/0015-overlapping-waits.md).
  using rules = await failures.attempt(openNftables);
  await failures.attempt(() => tearDownMasquerade(request, rules));
  // Before the address is freed: no interface may use an address that another container can get.
  const removal = await failures.attempt(() => removeInterface(request));
  // A spoof check is removed only if its port is not another attachment's. A port without an alias of ours may be this
  // attachment's if it has one of its names, or if the container can't be reached: the Go plugin's ports have no alias.
  const mayTake = ({ alias, name = "" }: Link): boolean =>
    removal !== undefined &&
    !isAttachmentAlias(alias) &&
    (!removal.isReached || hostVethNames(request).includes(name));
  await failures.attempt(() => tearDownSpoofCheck(request, mayTake, rules));
  if (ipam !== undefined && removal?.isGone === true) {
    await failures.attemptLast(() => delegateDel(request, ipam));
  } else if (ipam !== undefined && removal !== undefined) {
    await failures.attemptLast(() => freeUnusedAddresses(request, ipam));
  }
  failures.throwIfAny();
}

/**
 * DEL of the addresses if no interface was found. Usually it is gone, but it may still exist where only its address shows
 * that it is the attachment's. So the delegate calls `userOf` before it frees an address.
 */
async function freeUnusedAddresses(request: Request, ipam: string): Promise<void> {
  // Opened on first use: a repeated DEL usually finds no leased address.
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
