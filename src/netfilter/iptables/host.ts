/**
 * Finds the host's iptables and its variant. The system's own folders are searched before PATH, so that calls of a
 * runtime, a script and a person find the same program whatever their PATH is (docs/decisions/0014-which-iptables.md).
 */
import { environment } from "#engine";
import { toCniError } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { SystemError } from "../../sys/errno.ts";
import { readLink, status } from "../../sys/file.ts";
import { programIn } from "../../sys/program.ts";
import type { Place } from "./change.ts";

/** How masquerading is done: ipMasqBackend of the configuration. */
export type Backend = "iptables" | "nftables";

/** The nft variant of iptables keeps its rules in nf_tables, the legacy variant in x_tables. */
type Variant = "nft" | "legacy";

/** Root's usual PATH, in its order. */
const FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Limits: links to follow, and milliseconds until a program must have printed its version. */
const MOST_LINKS = 16;
const MOST_FOR_VERSION = 5000;

/** Path of the first executable file with the family's name and this ending. */
const find = (family: Family, ending: string): string | undefined =>
  findProgram(`${family === 4 ? "iptables" : "ip6tables"}${ending}`);

/** Path of the first executable file of that name; undefined if there is none. */
export const findProgram = (name: string): string | undefined =>
  programIn(`${FOLDERS}:${environment.PATH ?? ""}`, name);

/** Path of the host's own iptables-restore, which has the variant of its `iptables`; undefined if there is none. */
export const findRestore = (family: Family): string | undefined => find(family, "-restore");

/** Path of the legacy variant's restore program, which may exist beside the host's own one. */
export async function findLegacyRestore(family: Family): Promise<string | undefined> {
  const path = find(family, "-legacy-restore");
  if (path !== undefined) return path;
  const own = findRestore(family);
  return own !== undefined && (await variantOf(own)) === "legacy" ? own : undefined;
}

/**
 * The variant of a program. Each variant of iptables is one file, xtables-nft-multi or xtables-legacy-multi, and its
 * commands are links to it. So the names along the links show the variant; any other program is run with --version.
 */
async function variantOf(path: string): Promise<Variant> {
  let name = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const base = name.slice(name.lastIndexOf("/") + 1);
    if (base.includes("nft")) return "nft";
    if (base.includes("legacy") || base === "xtables-multi") return "legacy";
    try {
      const target = readLink(name);
      name = target.startsWith("/") ? target : `${name.slice(0, name.lastIndexOf("/"))}/${target}`;
    } catch (error) {
      if (error instanceof SystemError) break;
      throw error;
    }
  }
  const { device, inode } = status(path);
  const identity = `${device} ${inode}`;
  const known = variants.get(identity) ?? (await variantByVersion(path));
  variants.set(identity, known);
  return known;
}

/** Variants by device and inode of the program, since --version costs a child process. */
const variants = new Map<string, Variant>();

/** @throws CniError if the program cannot be run or does not end */
async function variantByVersion(path: string): Promise<Variant> {
  const { runProgram } = await import("../../sys/child.ts");
  try {
    const { stdout } = runProgram({ path, arguments: ["--version"], most: MOST_FOR_VERSION });
    return new TextDecoder().decode(stdout).includes("nf_tables") ? "nft" : "legacy";
  } catch (error) {
    throw toCniError(error).during(`cannot run ${JSON.stringify(path)} to read its version`);
  }
}

/**
 * The table that the host's iptables uses; undefined if it has none. Rules of the nft variant are written over netlink,
 * but only if its program is installed, so that a tool on the host shows them.
 */
export async function hostTable(
  connection: Connection | undefined,
  family: Family,
): Promise<Place | undefined> {
  const own = findRestore(family);
  if (connection !== undefined && own !== undefined && (await variantOf(own)) === "nft")
    return { family, connection };
  return await legacyTable(family);
}

/** The table of the legacy variant, if that is installed; also for a family without nf_tables in the kernel. */
export const legacyTable = async (family: Family): Promise<Place | undefined> =>
  (await findLegacyRestore(family)) === undefined ? undefined : { family, connection: undefined };

/**
 * B27: the configured backend, or else iptables if it works, as far as reading shows. Each command reads the same
 * things, so all choose the same backend.
 */
export async function chosen(
  backend: Backend | undefined,
  connection: Connection | undefined,
): Promise<Backend> {
  if (backend !== undefined) return backend;
  return (await hostTable(connection, 4)) === undefined ? "nftables" : "iptables";
}
