/**
 * The state of each lease: alive, dead or unknown (rules O6, O8). Dead is only what is proven so by the record of its namespace
 * (rule L4), if nothing of it lives elsewhere. Without a record, as for the reference's leases, and without any sign of life it
 * is unknown, and never freed because of that.
 */
import { type Boot, thisBoot } from "../leases/boot.ts";
import type { LeaseFile } from "../leases/lease-files.ts";
import { findDead } from "../leases/reclaim.ts";
import { connect, protocol } from "../netlink/index.ts";
import { bootId } from "../sys/boot.ts";
import { missingForAttachments } from "../sys/capability.ts";
import type { Cache } from "./cache.ts";
import type { Lease, LeaseFolder } from "./lease-folders.ts";
import { Living, type Seen } from "./living.ts";
import type { BoundNamespace } from "./namespaces.ts";
import type { Network } from "./networks.ts";

/** Whether an attachment lives. */
export type State = "alive" | "dead" | "unknown";

/** All states. */
export const STATES: readonly State[] = ["alive", "dead", "unknown"];

/** A lease and its state. */
export interface JudgedLease extends Lease {
  readonly state: State;
  /** As in "the host was rebooted", "not recorded (made by another plugin)". */
  readonly why: string;
  /** The path of its namespace, if it is bound to one. */
  readonly netns: string | undefined;
}

/** What shows that attachments live. */
export type Evidence = Pick<Living, "namespaces" | "lifeOf">;

/** Why nothing is known of a lease without a record. */
const NOT_RECORDED = "not recorded (made by another plugin)";

/** The states of all leases in a folder. `living` is undefined where this process may not look. @throws NetlinkError */
export async function judge(
  { files, leases }: LeaseFolder,
  living: Evidence | undefined,
  boot: Boot = thisBoot,
): Promise<JudgedLease[]> {
  const byFile = new Map(leases.map((lease) => [lease.file, lease]));
  const known = { path: files.path, recordOf: (file: LeaseFile) => byFile.get(file)?.record };
  const found = leases.length === 0 ? [] : await findDead(known, [...byFile.keys()], boot);
  const dead = new Map(found.map(({ lease, reason }) => [lease, reason]));
  const bound = Map.groupBy(living?.namespaces ?? [], ({ inode }) => inode);
  return leases.map((lease) => ({ ...lease, ...stateOf(lease, dead.get(lease.file), living, bound, boot) }));
}

function stateOf(
  lease: Lease,
  death: string | undefined,
  living: Evidence | undefined,
  bound: ReadonlyMap<string, readonly BoundNamespace[]>,
  boot: Boot,
): Pick<JudgedLease, "state" | "why" | "netns"> {
  const { record } = lease;
  if (death === undefined && record !== undefined && record.boot === boot.id()) {
    if (living === undefined)
      return { state: "unknown", why: "not permitted to look at its namespace", netns: undefined };
    const { inode, cookie } = record.netns;
    const netns = bound.get(inode)?.find((each) => (each.cookie ?? 0n) === cookie)?.path;
    return { state: "alive", why: "its namespace lives", netns };
  }
  if (living === undefined)
    return {
      state: "unknown",
      why: death === undefined ? NOT_RECORDED : "not permitted to look for its interface",
      netns: undefined,
    };
  const life = living.lifeOf(lease);
  if (life !== undefined) return { state: "alive", ...life };
  if (death !== undefined) return { state: "dead", why: death, netns: undefined };
  const why = record === undefined ? NOT_RECORDED : "recorded by another host, or at an unknown boot";
  return { state: "unknown", why, netns: undefined };
}

/**
 * Calls `use` with the evidence of living attachments; with undefined where this process may not look at namespaces.
 * @param seen links and namespaces that were read already. @throws NetlinkError
 */
export async function withLiving<T>(
  cache: Cache,
  networks: readonly Network[],
  use: (living: Evidence | undefined) => Promise<T>,
  seen?: Seen,
): Promise<T> {
  if (missingForAttachments() !== undefined || bootId() === undefined) return use(undefined);
  using host = connect(protocol.route);
  return await use(new Living(host, cache, networks, seen));
}
