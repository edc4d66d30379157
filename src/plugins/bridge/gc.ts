/**
 * GC: removes what attachments of this network that are not listed have left (rules A37–A39, G1). Only what proves to
 * be of this network is touched: host veths by their marks, or by the address that is leased to an attachment which is
 * not listed; rules by their attachment; leases by the IPAM.
 */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { isListKey, LIST_KEYS } from "../../cni/attachment-lists.ts";
import type { ValidAttachments } from "../../cni/attachments.ts";
import { requireValidAttachments } from "../../cni/config.ts";
import { delegateGc, isInThisProcess } from "../../cni/delegate.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { AddressUsers, stillThere } from "../../links/address-users.ts";
import { removeLink } from "../../links/link.ts";
import { connect } from "../../links/namespaces.ts";
import { describeHostEnd, dumpVeths, type HostVeth, livesElsewhere } from "../../links/own-veth.ts";
import {
  hostVethMac,
  hostVethNames,
  isAttachmentAlias,
  parseAttachmentAlias,
  staleAliases,
} from "../../links/veth-identity.ts";
import { sameMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { bridgeName, ipamType } from "./config.ts";

export async function gc(request: Request): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const { network, log } = request;
  const ipam = ipamType(request.config.json);
  const failures = new Failures(request.time);
  using host = connect();
  const living = new Living(request, host, valid);
  let stays = false;
  for (const veth of staleVeths(host, network, valid)) {
    if (living.keeps(veth)) continue;
    const removed = await failures.attempt(() => {
      removeLink(host, veth);
      log(`removed stale interface ${JSON.stringify(veth.name)} (${veth.alias ?? "not set up"})`);
      return true;
    });
    stays ||= !removed;
  }
  // The address of an interface that stays must not go to another container.
  if (ipam !== undefined && !stays) await failures.attempt(() => collectAddresses(request, ipam, living));
  await failures.attempt(async () => {
    if (!living.areAllKnown("masquerade rules")) return;
    const masquerade = await import("../../netfilter/masquerade/list.ts");
    // Without a copy of a list that may be long.
    await masquerade.collect(network, {
      *[Symbol.iterator]() {
        yield* valid;
        yield* living.kept;
      },
    });
  });
  await failures.attemptLast(async () => (await import("../../netfilter/spoof-check/list.ts")).collect());
  failures.throwIfAny();
}

/** Has the IPAM free what is not listed, except what an interface still uses. */
async function collectAddresses(request: Request, ipam: string, living: Living): Promise<void> {
  if (!living.stay || isInThisProcess(request, ipam))
    return await delegateGc({ ...request, userOf: living.userOf }, ipam);
  // A child can't ask: it gets the list of what lives.
  if (!living.areAllKnown("addresses")) return;
  const { stdin, config } = request;
  const entries = living.kept.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  const others = Object.entries(config.json).filter(([key]) => !isListKey(key));
  const document = Object.fromEntries([...others, ...LIST_KEYS.map((key) => [key, entries])]);
  const withList = new TextEncoder().encode(JSON.stringify(document));
  await delegateGc({ ...request, stdin: entries.length === 0 ? stdin : withList }, ipam);
}

/** What lives although it is not listed. */
class Living {
  /**
   * Whether it stays. An empty list may come from a runtime that has lost its memory, or knows other containers only: then
   * whatever has an interface in a living namespace stays (rule A39).
   */
  readonly stay: boolean;
  /** Attachments whose interface, address and rules stay. */
  readonly kept: ContainerInterface[] = [];
  private readonly request: Request;
  private readonly host: Connection;
  private readonly users: AddressUsers;
  /** Host veths that stay and whose attachment is known. */
  private readonly known = new Set<number>();
  private readonly nameless: HostVeth[] = [];

  constructor(request: Request, host: Connection, valid: ValidAttachments) {
    const { network, config } = request;
    this.request = request;
    this.host = host;
    this.users = new AddressUsers(host, { network, bridge: () => bridgeName(config.json) });
    this.stay = valid.isEmpty;
  }

  /** Whether a host veth that is not listed stays. */
  keeps(veth: HostVeth): boolean {
    if (!this.stay || !livesElsewhere(this.host, veth)) return false;
    const attachment = parseAttachmentAlias(veth.alias ?? "");
    if (attachment === undefined) this.nameless.push(veth);
    else this.keep(veth, attachment);
    this.request.log(
      `kept ${describeHostEnd(veth)}: the list of attachments is empty, but its container lives; DEL removes it`,
    );
    return true;
  }

  private keep(veth: HostVeth, attachment: ContainerInterface): void {
    this.known.add(veth.index);
    this.kept.push(attachment);
  }

  /**
   * Whether each interface that stays is known by the name of its attachment, so that addresses and rules which belong
   * to none of them belong to nothing that lives. `what` is not collected if not.
   */
  areAllKnown(what: string): boolean {
    if (!this.stay) return true;
    const others = [...this.nameless, ...this.users.unmarkedPorts()];
    const unknown = others.find(({ index }) => !this.known.has(index));
    if (unknown === undefined) return true;
    this.request.log(
      `not collecting ${what}: the list of attachments is empty, and ${describeHostEnd(unknown)} of a living container does not show which of them belong to it`,
    );
    return false;
  }

  /** For the IPAM: what still uses an address. */
  readonly userOf: NonNullable<Request["userOf"]> = async (held, among) => {
    const user = this.users.find(held, among);
    if (user === undefined) return undefined;
    if (user.isOwn && !this.stay) {
      this.users.remove(user, held, this.request.log);
      return undefined;
    }
    this.keep(user.veth, held);
    return stillThere(user);
  };
}

/** The host veths of this network whose attachment is not listed. */
function staleVeths(host: Connection, network: string, valid: ValidAttachments): HostVeth[] {
  const isStale = staleAliases(network, valid);
  const stale = dumpVeths(host, (veth) => {
    const { alias = "", mac, name } = veth;
    // Killed before it had an alias, or the alias was taken away.
    const isOfNetwork = () => mac !== undefined && sameMac(mac, hostVethMac(network, name));
    return (isAttachmentAlias(alias) ? isStale(alias) : isOfNetwork()) ? veth : undefined;
  });
  const unsure = new Set(stale.flatMap(({ alias, name }) => (isAttachmentAlias(alias) ? [] : [name])));
  if (unsure.size > 0) {
    for (const { containerId, ifname } of valid)
      for (const name of hostVethNames({ network, containerId, ifname })) unsure.delete(name);
  }
  return stale.filter(({ alias, name }) => isAttachmentAlias(alias) || unsure.has(name));
}
