/** Reads a directory of leases into an index. The directory is the truth, and this is where it is learned. */
import { formatIp, type IpAddress, parseIp } from "../../net/ip.ts";
import { failedWith } from "../../sys/errno.ts";
import { type FileStatus, inodeAndChange, isRegular, listDirectory, status } from "../../sys/file.ts";
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

/** The entry of a file; undefined if it is gone or empty. The status is taken first: a later change shows. */
function examine(files: LeaseFiles, name: string, address: IpAddress, earlier: IndexEntry | undefined) {
  const found = statusUnlessGone(files.at(name));
  if (found === undefined || (isRegular(found) && found.size === 0)) return undefined;
  if (earlier !== undefined && matches(earlier, found)) return earlier;
  const lease = files.read(name, address);
  return lease === undefined ? undefined : entryOf(address, lease.content, found);
}

/** The entry of a file. `content` is undefined for what is no lease but holds its address. */
export const entryOf = (address: IpAddress, content: string | undefined, file: FileStatus): IndexEntry => ({
  owner: content === undefined ? NOBODY : ownerOf(content),
  address,
  inode: BigInt(file.inode),
  changed: file.changed,
});

const matches = (entry: IndexEntry, file: FileStatus): boolean =>
  entry.changed === file.changed && entry.inode === BigInt(file.inode);

function statusUnlessGone(path: string): FileStatus | undefined {
  try {
    return status(path, { followLinks: false });
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
}
