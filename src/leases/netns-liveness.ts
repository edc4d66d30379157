/** Finds network namespaces that are proven gone (rules L4, L5). A namespace in doubt counts as alive. */
import type { NetnsNumbers } from "../sys/netns-handle.ts";
import { BlindSpotError, findLiveNetns } from "../sys/netns-references.ts";
import { type NetnsRecord, ownPidNamespace } from "./netns-record.ts";

/** The inode number of the host's first pid namespace (PID_NS_INIT_INO of uapi linux/nsfs.h). */
const FIRST_PID_NAMESPACE = "4026531836";

/** Of these records, which are all of this boot, those whose namespace is proven gone on this machine. */
export async function findGone(records: readonly NetnsRecord[]): Promise<ReadonlySet<NetnsRecord>> {
  const { netnsLiveness } = await import("../sys/netns-handle.ts");
  return provenGone(records, netnsLiveness());
}

/**
 * Of these records, which are all of this boot, those whose namespace is proven gone. `lives` is the kernel's answer.
 * Where the kernel cannot answer (`lives` is undefined), everything that could keep a namespace alive is searched.
 */
export function provenGone(
  records: readonly NetnsRecord[],
  lives: ((netns: NetnsNumbers) => boolean) | undefined,
): ReadonlySet<NetnsRecord> {
  // The kernel needs the cookie to answer; a kernel that can answer gives each namespace one.
  if (lives !== undefined)
    return new Set(records.filter(({ netns }) => netns.cookie !== 0n && !lives(netns)));
  const own = ownPidNamespace();
  const isVisible = ({ pidNamespace }: NetnsRecord) => own === FIRST_PID_NAMESPACE || pidNamespace === own;
  try {
    // Twice: a process can fork a child that the search misses, and end before the search reaches the process itself.
    return new Set(withoutReferences(withoutReferences(records.filter(isVisible))));
  } catch (error) {
    if (error instanceof BlindSpotError) return new Set();
    throw error;
  }
}

function withoutReferences(records: readonly NetnsRecord[]): readonly NetnsRecord[] {
  if (records.length === 0) return records;
  const live = findLiveNetns(new Set(records.map(({ netns }) => netns.inode)));
  return records.filter(({ netns: { inode, cookie } }) => {
    if (!live.has(inode)) return true;
    // With another cookie, the inode number now belongs to another namespace.
    const found = live.get(inode);
    return found !== undefined && cookie !== 0n && found !== cookie;
  });
}
