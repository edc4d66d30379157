/** Tar files whose bytes depend on the content alone, and sums of files. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./compile.ts";

/** The time of each file in a release, so that equal sources give equal bytes. */
export const FIXED_TIME = "2000-01-01T00:00:00Z";

/** FIXED_TIME in seconds, as SOURCE_DATE_EPOCH has it (https://reproducible-builds.org/specs/source-date-epoch/). */
export const FIXED_SECONDS = String(Date.parse(FIXED_TIME) / 1000);

/** Owner, mode and time of each member, whatever they are on the machine that builds. */
const FIXED = [
  ...["--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
  ...[`--mtime=${FIXED_TIME}`, "--mode=u=rwX,go=rX"],
] as const;

/**
 * Writes members of a folder into a tar file, in this order, folders with all that is in them. `compressor` is a command
 * as tar's -I takes it. @throws Error when tar fails
 */
export function writeTar(
  folder: string,
  members: readonly string[],
  file: string,
  compressor?: "gzip -9n",
): void {
  const compressed = compressor === undefined ? [] : ["-I", compressor];
  run(["tar", ...FIXED, ...compressed, "-C", folder, "-cf", file, "--", ...members]);
}

/** The SHA-256 of bytes or text, in hexadecimal. */
export const sha256 = (content: Uint8Array | string): string =>
  new Bun.CryptoHasher("sha256").update(content).digest("hex");

/** The line of a file in SHA256SUMS, as sha256sum(1) reads it. */
export const lineOfSums = async (file: string): Promise<string> =>
  `${sha256(await readFile(file))}  ${basename(file)}\n`;

/** The bytes of all files in a folder. */
export async function totalSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => stat(file)))).reduce((sum, { size }) => sum + size, 0);
}
