/** Proves that network namespaces are gone (rules L4, L5). Where there is doubt, they live. */
import type { NetnsNumbers } from "../sys/netns-handle.ts";
import { BlindSpotError, findLiveNetns } from "../sys/netns-references.ts";
import { type NetnsRecord, ownPidNamespace } from "./netns-record.ts";

/** The inode number of the machine's first pid namespace (PID_NS_INIT_INO of uapi linux/nsfs.h). */
const FIRST_PID_NAMESPACE = "4026531836";

/**
 * Those of the records, all of this boot, whose namespace is proven gone: by the kernel's own word, or where it gives
 * none (`lives` is undefined), by a search of all that could keep one alive.
 */
export function provenGone(
  records: readonly NetnsRecord[],
  lives: ((netns: NetnsNumbers) => boolean) | undefined,
): ReadonlySet<NetnsRecord> {
  // Without a cookie the kernel cannot be asked; one that can answer always gives a cookie.
  if (lives !== undefined)
    return new Set(records.filter(({ netns }) => netns.cookie !== 0n && !lives(netns)));
  const own = ownPidNamespace();
  const isVisible = ({ pidNamespace }: NetnsRecord) => own === FIRST_PID_NAMESPACE || pidNamespace === own;
  try {
    // Twice: a process that forks behind the search and ends before it would hide what its child keeps alive.
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
    // An inode number that has another cookie now is of another namespace.
    const found = live.get(inode);
    return found !== undefined && cookie !== 0n && found !== cookie;
  });
}
