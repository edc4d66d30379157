/** Reads a whole directory of leases into an index. */
import { formatIp, type IpAddress, ipv4InBytes, parseIp } from "../net/ip.ts";
import { forEachEntry, nameOf, readSmallFile } from "../sys/directory.ts";
import { inodeAndChange } from "../sys/file.ts";
import type { IndexEntry } from "./index-page.ts";
import { trimmed } from "./lease.ts";
import type { LeaseFiles } from "./lease-files.ts";
import { DamagedIndexError, hashOf, LeaseIndex } from "./lease-index.ts";

/** Bytes of a buffer for nearly all leases; larger ones are read as any file is. */
const USUAL = 512;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

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
  let names = 0;
  forEachEntry(files.path, () => void names++);
  // The index has room for other files too, and grows if leases come meanwhile.
  const index = new LeaseIndex(names);
  const seen = new Set<string>();
  try {
    for (const entry of known?.entries() ?? []) {
      const name = formatIp(entry.address);
      if (seen.has(name) || !isUnchanged(files, entry)) continue;
      seen.add(name);
      index.insert(entry);
    }
  } catch (error) {
    // What a damaged index does not tell is read.
    if (!(error instanceof DamagedIndexError)) throw error;
  }
  const oddNames = new Map<string, string[]>();
  const readWithCare = (name: string, address: IpAddress): void => {
    const lease = files.read(name, address);
    const file = lease && (lease.status ?? inodeAndChange(files.at(name)));
    if (lease === undefined || file === undefined) return;
    index.insert(entryOf(address, lease.content, file));
    const canonical = formatIp(address);
    if (name !== canonical) oddNames.set(canonical, [...(oddNames.get(canonical) ?? []), name]);
  };
  const buffer = new Uint8Array(USUAL);
  let bytes = buffer;
  forEachEntry(files.path, (directory, entry) => {
    const number = ipv4InBytes(entry);
    const name = number < 0 || seen.size > 0 ? nameOf(entry) : undefined;
    if (name !== undefined && seen.has(name)) return;
    const address: IpAddress | undefined =
      number < 0 ? parseIp(name ?? "") : { family: 4, value: BigInt(number) };
    if (address === undefined) return;
    if (number >= 0 || formatIp(address) === name) {
      const file = readSmallFile(directory, entry, buffer);
      if (file !== undefined) {
        // Nearly all are equally long, and a view of the buffer costs as much as a system call.
        if (bytes.length !== file.length) bytes = buffer.subarray(0, file.length);
        const content = trimmed(decoder.decode(bytes));
        if (content !== "") return index.insert(entryOf(address, content, file));
      }
    }
    readWithCare(name ?? nameOf(entry), address);
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
