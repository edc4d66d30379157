/** Which leases may be released without the word of a runtime (rules L1, L4, L5), and which must stay all the same (K6). */
import type { HeldAddress, Request } from "../cni/plugin.ts";
import { fileSystemType } from "../sys/file.ts";
import type { Boot } from "./boot.ts";
import { attachmentOf } from "./lease.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import type { NetnsRecord } from "./netns-record.ts";

/** How `Request.userOf` is asked. */
export type UserOf = Request["userOf"];

/**
 * What still uses the address of a lease, as a clause; undefined when nothing does, and when the plugin that delegates
 * says nothing of it. A lease in the old format stands for each interface of its container. `among` are the leases that are
 * asked for together.
 */
export async function userOfLease(
  userOf: UserOf,
  lease: LeaseFile,
  among: readonly LeaseFile[],
): Promise<string | undefined> {
  return await userOf?.(heldBy(lease), () => among.map(heldBy));
}

const heldBy = ({ address, content = "" }: LeaseFile): HeldAddress => ({ address, ...attachmentOf(content) });

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

const NETNS_GONE = "its network namespace is gone";

/**
 * The leases among these whose attachment is dead beyond doubt: recorded under another boot of this machine, or in a
 * network namespace that is gone; and nothing that `userOf` knows uses the address, as an interface may in another
 * namespace than the recorded one. What has no record is not judged. `present` is the record of the attachment that wants
 * an address.
 */
export async function findDead(
  files: LeaseFiles,
  leases: readonly LeaseFile[],
  boot: Boot,
  present?: NetnsRecord,
  userOf?: UserOf,
): Promise<Death[]> {
  const id = boot.id();
  if (leases.length === 0 || id === undefined || SHARED_FILE_SYSTEMS.has(fileSystemType(files.path)))
    return [];
  const deaths: Death[] = [];
  const ofThisBoot = new Map<NetnsRecord, LeaseFile>();
  for (const lease of leases) {
    const record = files.recordOf(lease);
    if (record === undefined) continue;
    if (record.boot !== id) deaths.push({ lease, proof: "the machine was booted since" });
    else if (present !== undefined && isReplaced(record, present)) deaths.push({ lease, proof: NETNS_GONE });
    else ofThisBoot.set(record, lease);
  }
  for (const record of await goneAmong(ofThisBoot, boot)) {
    const lease = ofThisBoot.get(record);
    if (lease !== undefined) deaths.push({ lease, proof: NETNS_GONE });
  }
  if (userOf === undefined) return deaths;
  const among = deaths.map(({ lease }) => lease);
  const unused: Death[] = [];
  for (const death of deaths)
    if ((await userOfLease(userOf, death.lease, among)) === undefined) unused.push(death);
  return unused;
}

/**
 * The leases among these that were recorded in a network namespace of this boot which is not proven gone: all that is
 * known of interfaces where the plugin that makes them says nothing of them.
 */
export async function findLiving(
  files: LeaseFiles,
  leases: Iterable<LeaseFile>,
  boot: Boot,
): Promise<LeaseFile[]> {
  const ofThisBoot = new Map<NetnsRecord, LeaseFile>();
  for (const lease of leases) {
    const record = files.recordOf(lease);
    if (record !== undefined && record.boot === boot.id()) ofThisBoot.set(record, lease);
  }
  for (const record of await goneAmong(ofThisBoot, boot)) ofThisBoot.delete(record);
  return [...ofThisBoot.values()];
}

const goneAmong = async (leases: ReadonlyMap<NetnsRecord, LeaseFile>, boot: Boot) =>
  leases.size === 0 ? [] : boot.gone([...leases.keys()]);

/** The present attachment's namespace has the number of the recorded one and is another: two cannot have it at once. */
const isReplaced = ({ netns }: NetnsRecord, present: NetnsRecord): boolean =>
  netns.inode === present.netns.inode &&
  netns.cookie !== 0n &&
  present.netns.cookie !== 0n &&
  netns.cookie !== present.netns.cookie;
