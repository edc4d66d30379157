/** Which leases are proven dead, so that their addresses may be given to others (rules L4, L5). */
import { fileSystemType } from "../sys/file.ts";
import type { Machine } from "./boot.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import type { Identity } from "./netns-record.ts";
import { type UserOf, userOfLease } from "./user.ts";

/** How a lease's attachment can be found to live. */
export interface Judges {
  readonly machine: Machine;
  /** What will be recorded of the attachment that wants an address; undefined if its namespace can't be opened. */
  readonly present: Identity | undefined;
  /** An interface may live on with the address in another namespace than the recorded one. */
  readonly userOf: UserOf;
}

/** A lease whose attachment is proven dead. */
export interface Death {
  readonly lease: LeaseFile;
  /** What proves it, for the log. */
  readonly proof: string;
}

/** A directory there may serve other machines, whose boots and namespaces are unknown here (uapi linux/magic.h). */
const SHARED_FILE_SYSTEMS = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9p
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x7461636f, // OCFS2
  0x01161970, // GFS2
  0x0bd00bd0, // Lustre
  0x65735546, // FUSE: GlusterFS, virtiofs and others
  0x00c0ffee, // hostfs
]);

/**
 * The leases among these whose attachment is dead beyond doubt: recorded under another boot of this machine, or in a
 * network namespace that is gone. What has no record is not judged.
 */
export async function findDead(
  files: LeaseFiles,
  leases: readonly LeaseFile[],
  { machine, present, userOf }: Judges,
): Promise<Death[]> {
  const boot = machine.boot();
  if (boot === undefined || SHARED_FILE_SYSTEMS.has(fileSystemType(files.path))) return [];
  const deaths: Death[] = [];
  const ofThisBoot = new Map<Identity, LeaseFile>();
  for (const lease of leases) {
    const identity = files.identityOf(lease);
    if (identity === undefined) continue;
    if (identity.boot !== boot) deaths.push({ lease, proof: "the machine was booted since" });
    else if (isReplaced(identity, present)) deaths.push({ lease, proof: NETNS_GONE });
    else ofThisBoot.set(identity, lease);
  }
  const gone = ofThisBoot.size === 0 ? [] : await machine.gone([...ofThisBoot.keys()]);
  for (const identity of gone) {
    const lease = ofThisBoot.get(identity);
    if (lease !== undefined) deaths.push({ lease, proof: NETNS_GONE });
  }
  return withoutUser(deaths, userOf);
}

async function withoutUser(deaths: readonly Death[], userOf: UserOf): Promise<Death[]> {
  const leases = deaths.map(({ lease }) => lease);
  const unused: Death[] = [];
  for (const death of deaths) {
    if ((await userOfLease(userOf, death.lease, leases)) === undefined) unused.push(death);
  }
  return unused;
}

/**
 * The leases among these that were recorded in a network namespace of this boot which is not proven gone: all that is
 * known of interfaces where the plugin that makes them says nothing of them.
 */
export async function findLiving(
  files: LeaseFiles,
  leases: readonly LeaseFile[],
  machine: Machine,
): Promise<LeaseFile[]> {
  const recorded = new Map<Identity, LeaseFile>();
  for (const lease of leases) {
    const identity = files.identityOf(lease);
    if (identity !== undefined && identity.boot === machine.boot()) recorded.set(identity, lease);
  }
  if (recorded.size === 0) return [];
  const gone = await machine.gone([...recorded.keys()]);
  return [...recorded].flatMap(([identity, lease]) => (gone.has(identity) ? [] : [lease]));
}

const NETNS_GONE = "its network namespace is gone";

/** The present attachment's namespace has the number of the recorded one and is another: two can't have it at once. */
const isReplaced = ({ netns }: Identity, present: Identity | undefined): boolean =>
  present !== undefined &&
  netns.inode === present.netns.inode &&
  netns.cookie !== 0n &&
  present.netns.cookie !== 0n &&
  netns.cookie !== present.netns.cookie;
