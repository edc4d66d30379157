/** Proves that network namespaces are gone (rules L4, L5). Where there is doubt, they live. */
import type { NetnsNumbers } from "../sys/netns-handle.ts";
import { BlindSpotError, findLiveNetns, type LiveNetns } from "../sys/netns-references.ts";
import type { Identity } from "./netns-record.ts";
import { ownPidNamespace } from "./pid-namespace.ts";

/** The inode number of the machine's first pid namespace (PID_NS_INIT_INO of uapi linux/nsfs.h). */
const FIRST_PID_NAMESPACE = "4026531836";

/**
 * Those of the identities, all of this boot, whose namespace is proven gone: by the kernel's own word, or where it
 * gives none (`oracle` is undefined), by a search of all that could keep one alive.
 */
export function provenGone(
  identities: readonly Identity[],
  oracle: ((netns: NetnsNumbers) => boolean) | undefined,
): ReadonlySet<Identity> {
  if (oracle !== undefined) {
    // Without a cookie the kernel can't be asked; one that has the oracle always gives a cookie.
    return new Set(identities.filter(({ netns }) => netns.cookie !== 0n && !oracle(netns)));
  }
  const own = ownPidNamespace();
  const visible = identities.filter(
    ({ pidNamespace }) => own === FIRST_PID_NAMESPACE || pidNamespace === own,
  );
  // Twice: a process that forks behind the search and ends before it would hide what its child keeps alive.
  return new Set(unreferenced(unreferenced(visible)));
}

function unreferenced(identities: readonly Identity[]): Identity[] {
  if (identities.length === 0) return [];
  try {
    const live = findLiveNetns(new Set(identities.map(({ netns }) => netns.inode)));
    return identities.filter(({ netns }) => !mayLive(netns, live));
  } catch (error) {
    if (error instanceof BlindSpotError) return [];
    throw error;
  }
}

/** An inode number that has another cookie now is another namespace. */
function mayLive({ inode, cookie }: NetnsNumbers, live: LiveNetns): boolean {
  if (!live.has(inode)) return false;
  const found = live.get(inode);
  return found === undefined || cookie === 0n || found === cookie;
}
