/** Reads a directory of leases into an index. The directory is the truth, and this is where it is learned. */
import { formatIp, type IpAddress, parseIp } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import { type FileStatus, inodeAndChange, listDirectory, status } from "../../sys/file.ts";
import type { LeaseFiles } from "./lease-files.ts";
import { type IndexEntry, NOBODY, ownerOf } from "./owner-table.ts";

/** What a look at the whole directory found. */
export interface Scan {
  readonly entries: readonly IndexEntry[];
  /** Names that are not their address's canonical text, by that text. Foreign, but they hold the address. */
  readonly oddNames: ReadonlyMap<string, readonly string[]>;
}

/** `known` is what an earlier index says: a file that did not change since is not read again. */
export function scanLeases(files: LeaseFiles, known: Iterable<IndexEntry>): Scan {
  const earlier = new Map<string, IndexEntry>();
  for (const entry of known) earlier.set(formatIp(entry.address), entry);
  const entries: IndexEntry[] = [];
  const oddNames = new Map<string, string[]>();
  for (const name of listDirectory(files.path)) {
    const address = parseIp(name);
    if (address === undefined) continue;
    const canonical = formatIp(address);
    const entry = examine(files, name, address, name === canonical ? earlier.get(canonical) : undefined);
    if (entry === undefined) continue;
    entries.push(entry);
    if (name !== canonical) oddNames.set(canonical, [...(oddNames.get(canonical) ?? []), name]);
  }
  return { entries, oddNames };
}

/** Whether the file of an entry is still the one that the entry was made of. */
export function unchanged(files: LeaseFiles, entry: IndexEntry): boolean {
  const found = inodeAndChange(files.at(formatIp(entry.address)));
  return found !== undefined && found.changed === entry.changed && found.inode === entry.inode;
}

/** The entry of a file; undefined if it is gone or empty. Its status is of before it was read: a later change shows. */
function examine(
  files: LeaseFiles,
  name: string,
  address: IpAddress,
  earlier: IndexEntry | undefined,
): IndexEntry | undefined {
  if (earlier !== undefined && unchanged(files, earlier)) return earlier;
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
