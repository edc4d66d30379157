/**
 * GC: removes what unlisted attachments of this network have left (rules A37–A39, G1). A host veth is removed only if its
 * alias, its MAC or an address leased to an unlisted attachment proves that it is of this network. Rules are found by their
 * attachment; the IPAM plugin frees the leases.
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
  let anyStays = false;
  for (const veth of staleVeths(host, network, valid)) {
    if (living.keeps(veth)) continue;
    const removed = await failures.attempt(() => {
      removeLink(host, veth);
      log(`removed stale interface ${JSON.stringify(veth.name)} (${veth.alias ?? "not set up"})`);
      return true;
    });
    anyStays ||= !removed;
  }
  // No other container may get the address of an interface that was not removed.
  if (ipam !== undefined && !anyStays) await failures.attempt(() => collectAddresses(request, ipam, living));
  await failures.attempt(async () => {
    if (!living.areAllKnown("masquerade rules")) return;
    const masquerade = await import("../../netfilter/masquerade/list.ts");
    // A generator, to avoid copying a list that may be long.
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

/** Calls the IPAM plugin to free unlisted addresses, except those that an interface still uses. */
async function collectAddresses(request: Request, ipam: string, living: Living): Promise<void> {
  if (!living.stay || isInThisProcess(request, ipam))
    return await delegateGc({ ...request, userOf: living.userOf }, ipam);
  // A child process can't call `userOf`, so it gets the list of living attachments.
  if (!living.areAllKnown("addresses")) return;
  const { stdin, config } = request;
  const entries = living.kept.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  const others = Object.entries(config.json).filter(([key]) => !isListKey(key));
  const document = Object.fromEntries([...others, ...LIST_KEYS.map((key) => [key, entries])]);
  const withList = new TextEncoder().encode(JSON.stringify(document));
  await delegateGc({ ...request, stdin: entries.length === 0 ? stdin : withList }, ipam);
}

/** Attachments that live although they are not listed. */
class Living {
  /**
   * Whether they stay. A runtime may send an empty list if it has lost its state, or knows only other containers. Then
   * every attachment with an interface in a living namespace stays (rule A39).
   */
  readonly stay: boolean;
  /** Attachments whose interface, address and rules stay. */
  readonly kept: ContainerInterface[] = [];
  private readonly request: Request;
  private readonly host: Connection;
  private readonly users: AddressUsers;
  /** Indices of host veths that stay and whose attachment is known. */
  private readonly known = new Set<number>();
  /** Host veths that stay and whose alias is only a digest, or missing. */
  private readonly unidentified: HostVeth[] = [];

  constructor(request: Request, host: Connection, valid: ValidAttachments) {
    const { network, config } = request;
    this.request = request;
    this.host = host;
    this.users = new AddressUsers(host, { network, bridge: () => bridgeName(config.json) });
    this.stay = valid.isEmpty;
  }

  /** Whether the host veth of an unlisted attachment stays. */
  keeps(veth: HostVeth): boolean {
    if (!this.stay || !livesElsewhere(this.host, veth)) return false;
    const attachment = parseAttachmentAlias(veth.alias ?? "");
    if (attachment === undefined) this.unidentified.push(veth);
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
   * Whether the attachment of each interface that stays is known, so that all other addresses and rules can be removed. If
   * not, it logs that `what` is not collected.
   */
  areAllKnown(what: string): boolean {
    if (!this.stay) return true;
    const others = [...this.unidentified, ...this.users.unmarkedPorts()];
    const unknown = others.find(({ index }) => !this.known.has(index));
    if (unknown === undefined) return true;
    this.request.log(
      `not collecting ${what}: the list of attachments is empty, and ${describeHostEnd(unknown)} of a living container does not show which of them belong to it`,
    );
    return false;
  }

  /** For the IPAM plugin: the interface that still uses an address. */
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
    // ADD was killed before it set the alias, or the alias was removed.
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
