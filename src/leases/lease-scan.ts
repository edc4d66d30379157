/** Reads a directory of leases into an index. The directory is the truth, and this is where it is learned. */
import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { failedWith } from "../sys/errno.ts";
import { type FileStatus, forEachName, inodeAndChange, status } from "../sys/file.ts";
import type { LeaseFiles } from "./lease-files.ts";
import { type Built, LeaseIndex, withEntry } from "./lease-index.ts";
import { type IndexEntry, NOBODY, ownerOf } from "./owner-table.ts";

/** What a look at the whole directory found. */
export interface Scan extends Built {
  /** Names that are not their address's canonical text, by that text. Foreign, but they hold the address. */
  readonly oddNames: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads the directory name by name: however many there are, only the index of them is in memory. `known` is what an
 * earlier index says: a file that did not change since is not read again.
 */
export function scanLeases(files: LeaseFiles, known: Iterable<IndexEntry>): Scan {
  let built = LeaseIndex.empty();
  const insert = (entry: IndexEntry | undefined): boolean => {
    if (entry !== undefined) built = withEntry(built, entry);
    return entry !== undefined;
  };
  for (const entry of known) {
    if (!built.index.holds(entry.address) && unchanged(files, entry)) insert(entry);
  }
  const odd: { name: string; address: IpAddress; canonical: string }[] = [];
  forEachName(files.path, (name) => {
    const address = parseIp(name);
    if (address === undefined) return;
    const canonical = formatIp(address);
    if (name !== canonical) odd.push({ name, address, canonical });
    else if (!built.index.holds(address)) insert(examine(files, name, address));
  });
  // After all others: a name of its own does not make an address known.
  const oddNames = new Map<string, string[]>();
  for (const { name, address, canonical } of odd) {
    if (!insert(examine(files, name, address))) continue;
    oddNames.set(canonical, [...(oddNames.get(canonical) ?? []), name]);
  }
  return { ...built, oddNames };
}

/** Whether the file of an entry is still the one that the entry was made of. */
export function unchanged(files: LeaseFiles, entry: IndexEntry): boolean {
  const found = inodeAndChange(files.at(formatIp(entry.address)));
  return found !== undefined && found.changed === entry.changed && found.inode === entry.inode;
}

/** The entry of a file; undefined if it is gone or empty. Its status is of before it was read: a later change shows. */
function examine(files: LeaseFiles, name: string, address: IpAddress): IndexEntry | undefined {
  const lease = files.read(name, address);
  const file = lease?.status ?? (lease && statusUnlessGone(files.at(name)));
  return lease && file && entryOf(address, lease.content, file);
}

/** What the index keeps of a file that holds an address. */
export const entryOf = (address: IpAddress, content: string | undefined, file: FileStatus): IndexEntry => ({
  owner: content === undefined ? NOBODY : ownerOf(content),
  address,
  inode: BigInt(file.inode),
  changed: file.changed,
});

function statusUnlessGone(path: string): FileStatus | undefined {
  try {
    return status(path, { followLinks: false });
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
}
