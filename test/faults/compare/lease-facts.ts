/**
 * What each file in the lease folder has beside its text, as lines: an index word by word, and the netns record of a lease.
 * Left out is what differs between two hosts: numbers of inodes, times, and what is computed from them.
 */
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { RECORD_ATTRIBUTES } from "../../../src/leases/netns-record.ts";
import { fgetxattr } from "../../../src/sys/file.ts";

/**
 * The words of an index's head (lease-index.ts), and those of a page that are the same on both hosts: the number of its rows,
 * their hashes and addresses (index-page.ts). Checksums and the directory's state are not.
 */
const HEAD = 5;
const CHECKSUM = 1;
const STATE = 3;
const PAGE = 256;
const SAME = 1 + 3 * 51;

export function leaseFacts(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return names.flatMap((name) => {
    const path = `${folder}/${name}`;
    if (!lstatSync(path).isFile()) return [];
    return name.endsWith(".index") ? [`${name}: ${indexFacts(readFileSync(path))}`] : recordFacts(name, path);
  });
}

/** A netns record without what differs: between its boot and its digest stand inode and cookie of the namespace, and a pid. */
export const withoutNumbers = (text: string): string =>
  text.replace(/\b(1 [0-9a-f]{16}) [0-9a-f]+ [0-9a-f]+ [0-9a-f]+( [0-9a-f]{12})\b/g, "$1 - - -$2");

function indexFacts(bytes: Uint8Array): string {
  const count = (bytes.length / 8 - HEAD) / (PAGE + 1);
  if (!Number.isInteger(count)) return `${bytes.length} bytes`;
  const words = [...new BigUint64Array(Uint8Array.from(bytes).buffer)];
  const shown = words.map((word, at) => {
    const inPage = (at - HEAD - count) % PAGE;
    const isSame = at < HEAD ? at !== CHECKSUM && at !== STATE : inPage >= 0 && inPage < SAME;
    return isSame ? word.toString(16) : "-";
  });
  return `${bytes.length} bytes: ${shown.join(" ")}`;
}

function recordFacts(name: string, path: string): string[] {
  const file = openSync(path, "r");
  try {
    return RECORD_ATTRIBUTES.flatMap((attribute) => {
      const value = new Uint8Array(200);
      const length = fgetxattr(file, attribute, value);
      if (length < 0) return [];
      return [`${name}: ${attribute} ${withoutNumbers(new TextDecoder().decode(value.subarray(0, length)))}`];
    });
  } finally {
    closeSync(file);
  }
}
