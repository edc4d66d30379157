/** Decides which leases may be released without a runtime's request (rules L1, L4, L5), and which must stay (K6). */
import type { HeldAddress, Request } from "../cni/plugin.ts";
import { fileSystemType } from "../sys/file.ts";
import type { Boot } from "./boot.ts";
import { attachmentOf } from "./lease.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import type { NetnsRecord } from "./netns-record.ts";

/** Finds what still uses an address. */
export type UserOf = Request["userOf"];

/**
 * What still uses the address of a lease, as a clause of a sentence; undefined if nothing does, or if the calling
 * plugin cannot say. A lease in the old format means each interface of its container. `among` are the leases that are
 * checked together.
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
export interface DeadLease {
  readonly lease: LeaseFile;
  /** Why it is dead, for the log. */
  readonly reason: string;
}

/** Other hosts may use a directory there; their boots and namespaces are unknown here (uapi linux/magic.h). */
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
 * The leases among these whose attachment is proven dead: it was recorded in another boot of this host, or its network
 * namespace is gone, and `userOf` knows of no user of the address, such as an interface that was moved to another
 * namespace. A lease without a record never counts as dead. `present` is the record of the attachment that needs an
 * address.
 */
export async function findDead(
  files: Pick<LeaseFiles, "path" | "recordOf">,
  leases: readonly LeaseFile[],
  boot: Boot,
  present?: NetnsRecord,
  userOf?: UserOf,
): Promise<DeadLease[]> {
  const id = boot.id();
  if (leases.length === 0 || id === undefined || SHARED_FILE_SYSTEMS.has(fileSystemType(files.path)))
    return [];
  const dead: DeadLease[] = [];
  const ofThisBoot = new Map<NetnsRecord, LeaseFile>();
  for (const lease of leases) {
    const record = files.recordOf(lease);
    if (record === undefined) continue;
    if (record.boot !== id) dead.push({ lease, reason: "the host was rebooted" });
    else if (present !== undefined && isReplaced(record, present)) dead.push({ lease, reason: NETNS_GONE });
    else ofThisBoot.set(record, lease);
  }
  for (const record of await goneAmong(ofThisBoot, boot)) {
    const lease = ofThisBoot.get(record);
    if (lease !== undefined) dead.push({ lease, reason: NETNS_GONE });
  }
  if (userOf === undefined) return dead;
  const among = dead.map(({ lease }) => lease);
  const unused: DeadLease[] = [];
  for (const each of dead)
    if ((await userOfLease(userOf, each.lease, among)) === undefined) unused.push(each);
  return unused;
}

/**
 * The leases among these whose record is of this boot, and whose network namespace is not proven gone. GC uses it if
 * the calling plugin cannot say which interfaces exist.
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

/** Whether the present namespace has reused the number of the recorded one, which then is gone. */
const isReplaced = ({ netns }: NetnsRecord, present: NetnsRecord): boolean =>
  netns.inode === present.netns.inode &&
  netns.cookie !== 0n &&
  present.netns.cookie !== 0n &&
  netns.cookie !== present.netns.cookie;
