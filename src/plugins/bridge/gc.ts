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
import type { HeldAddress, Request } from "../../cni/plugin.ts";
import { sameMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { connect } from "../namespaces.ts";
import { AddressUsers, stillThere } from "./address-users.ts";
import { removeLink } from "./bridge-link.ts";
import { ipamType } from "./config.ts";
import { describeHostEnd, dumpVeths, type HostVeth, livesElsewhere } from "./own-veth.ts";
import {
  hostVethMac,
  hostVethNames,
  isAttachmentAlias,
  parseAttachmentAlias,
  staleAliases,
} from "./veth-identity.ts";

export async function gc(request: Request): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const ipam = ipamType(request.config.json);
  const failures = new Failures(request.time);
  using host = connect();
  const collection = new Collection(request, host, valid);
  let stays = false;
  for (const veth of staleVeths(host, request.config.name, valid)) {
    if (collection.keeps(veth)) continue;
    const removed = await failures.attempt(() => {
      removeLink(host, veth);
      request.log(`removed stale interface ${JSON.stringify(veth.name)} (${veth.alias ?? "not set up"})`);
      return true;
    });
    stays ||= !removed;
  }
  // The address of an interface that stays must not go to another container.
  if (ipam !== undefined && !stays) {
    await failures.attempt(() => collection.collectAddresses(ipam));
  }
  await failures.attempt(async () => {
    if (collection.namesAllThatLive("masquerade rules")) {
      const { collectMasquerade } = await import("../../netfilter/masquerade.ts");
      await collectMasquerade(request.config.name, {
        [Symbol.iterator]: () => allOf(valid, collection.kept),
      });
    }
  });
  await failures.attemptLast(async () =>
    (await import("../../netfilter/spoof-check.ts")).collectSpoofChecks(),
  );
  failures.throwIfAny();
}

/** What stays although it is not listed. */
class Collection {
  /** Attachments whose interface, address and rules stay. */
  readonly kept: ContainerInterface[] = [];
  private readonly request: Request;
  private readonly host: Connection;
  private readonly users: AddressUsers;
  /**
   * An empty list may come from a runtime that has lost its memory, or knows other containers only: whatever has an
   * interface in a living namespace stays (rule A39).
   */
  private readonly keepsLiving: boolean;
  /** Host veths that stay and whose attachment is known. */
  private readonly known = new Set<number>();
  private readonly nameless: HostVeth[] = [];

  constructor(request: Request, host: Connection, valid: ValidAttachments) {
    this.request = request;
    this.host = host;
    this.users = new AddressUsers(host, request.config);
    this.keepsLiving = valid.isEmpty;
  }

  /** Whether a host veth that is not listed stays. */
  keeps(veth: HostVeth): boolean {
    if (!this.keepsLiving || !livesElsewhere(this.host, veth)) return false;
    const attachment = veth.alias === undefined ? undefined : parseAttachmentAlias(veth.alias);
    if (attachment === undefined) this.nameless.push(veth);
    else {
      this.known.add(veth.index);
      this.kept.push(attachment);
    }
    this.request.log(
      `kept ${describeHostEnd(veth)}: the list of attachments is empty, but its container lives; DEL removes it`,
    );
    return true;
  }

  /** Has the IPAM free what is not listed, except what an interface still uses. */
  async collectAddresses(ipam: string): Promise<void> {
    const { request } = this;
    if (!this.keepsLiving || isInThisProcess(request, ipam)) {
      return await delegateGc({ ...request, userOf: async (held, among) => this.userOf(held, among) }, ipam);
    }
    // A child can't ask: it gets the list of what lives.
    if (this.namesAllThatLive("addresses")) {
      await delegateGc({ ...request, stdin: withAttachments(request, this.kept) }, ipam);
    }
  }

  /**
   * Whether each interface that stays is known by the name of its attachment, so that addresses and rules which belong
   * to none of them belong to nothing that lives. `what` is not collected if not.
   */
  namesAllThatLive(what: string): boolean {
    if (!this.keepsLiving) return true;
    const unknown = [...this.nameless, ...this.users.unmarkedPorts()].find(
      ({ index }) => !this.known.has(index),
    );
    if (unknown === undefined) return true;
    this.request.log(
      `not collecting ${what}: the list of attachments is empty, and ${describeHostEnd(unknown)} of a living container does not show which of them belong to it`,
    );
    return false;
  }

  private userOf(held: HeldAddress, among: () => readonly HeldAddress[]): string | undefined {
    const user = this.users.find(held, among);
    if (user === undefined) return undefined;
    if (user.isOwn && !this.keepsLiving) {
      this.users.remove(user, held, this.request.log);
      return undefined;
    }
    this.known.add(user.veth.index);
    this.kept.push(held);
    return stillThere(user);
  }
}

/** The configuration of a call with another list of attachments in the place of an empty one. */
function withAttachments({ config, stdin }: Request, list: readonly ContainerInterface[]): Uint8Array {
  if (list.length === 0) return stdin;
  const entries = list.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
  const others = Object.entries(config.json.raw).filter(([key]) => !isListKey(key));
  const lists = LIST_KEYS.map((key) => [key, entries] as const);
  return new TextEncoder().encode(JSON.stringify(Object.fromEntries([...others, ...lists])));
}

/** Those of both, without a copy of a list that may be long. */
function* allOf(
  valid: Iterable<ContainerInterface>,
  kept: Iterable<ContainerInterface>,
): Generator<ContainerInterface> {
  yield* valid;
  yield* kept;
}

/** The host veths of this network whose attachment is not listed. */
function staleVeths(host: Connection, network: string, valid: ValidAttachments): HostVeth[] {
  const isStale = staleAliases(network, valid);
  const stale = dumpVeths(host, (veth) => {
    const { alias, mac, name } = veth;
    if (isAttachmentAlias(alias)) return alias !== undefined && isStale(alias) ? veth : undefined;
    // Killed before it had an alias, or the alias was taken away.
    return mac !== undefined && sameMac(mac, hostVethMac(network, name)) ? veth : undefined;
  });
  const unsure = new Set(stale.flatMap(({ alias, name }) => (isAttachmentAlias(alias) ? [] : [name])));
  if (unsure.size > 0) {
    for (const attachment of valid) {
      for (const name of hostVethNames({ network, ...attachment })) unsure.delete(name);
    }
  }
  return stale.filter(({ alias, name }) => isAttachmentAlias(alias) || unsure.has(name));
}
