/** Reads a whole directory of leases into an index. */
import { formatIp, type IpAddress, parseIp } from "../net/ip.ts";
import { forEachName, inodeAndChange } from "../sys/file.ts";
import type { LeaseFiles } from "./lease-files.ts";
import { hashOf, type IndexEntry, LeaseIndex } from "./lease-index.ts";

/** The result of a scan. */
export interface Scan {
  readonly index: LeaseIndex;
  /** By an address's canonical text, the other names of that address: files of other programs, which hold it too. */
  readonly oddNames: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads the directory name by name, so that only the index and the known names are in memory, however many files there
 * are. `known` is an earlier index of this boot: a file that has not changed since then is not read again.
 */
export function scanLeases(files: LeaseFiles, known: LeaseIndex | undefined): Scan {
  const index = new LeaseIndex();
  const seen = new Set<string>();
  for (let row = 0; known !== undefined && row < known.rows; row++) {
    const entry = known.entry(row);
    const name = formatIp(entry.address);
    if (seen.has(name) || !isUnchanged(files, entry)) continue;
    seen.add(name);
    index.insert(entry);
  }
  const oddNames = new Map<string, string[]>();
  forEachName(files.path, (name) => {
    const address = seen.has(name) ? undefined : parseIp(name);
    const lease = address && files.read(name, address);
    const file = lease && (lease.status ?? inodeAndChange(files.at(name)));
    if (lease === undefined || file === undefined) return;
    index.insert(entryOf(lease.address, lease.content, file));
    const canonical = formatIp(lease.address);
    if (name !== canonical) oddNames.set(canonical, [...(oddNames.get(canonical) ?? []), name]);
  });
  return { index, oddNames };
}

/** The row of a file. Its status must be from before its content was read, so that a later change is detected. */
export const entryOf = (
  address: IpAddress,
  content: string | undefined,
  { inode, changed }: { readonly inode: string | bigint; readonly changed: bigint },
): IndexEntry => ({ hash: hashOf(content), address, inode: BigInt(inode), changed });

/** Whether the file of an entry has not changed since the entry was made. */
export function isUnchanged(files: LeaseFiles, { address, inode, changed }: IndexEntry): boolean {
  const found = inodeAndChange(files.at(formatIp(address)));
  return found !== undefined && found.changed === changed && found.inode === inode;
}
