/**
 * What iptables is on this host. Looked for in the system's own folders first and only then on PATH, so that a runtime's,
 * a script's and a person's call find the same program whatever their PATH is (docs/decisions/0014-which-iptables.md).
 */
import { environment } from "#engine";
import { toCniError } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { SystemError } from "../../sys/errno.ts";
import { isRegular, readLink, status } from "../../sys/file.ts";
import type { NatTable } from "./chain-state.ts";

/** How masquerading is done: ipMasqBackend of the configuration. */
export type Backend = "iptables" | "nftables";

/** iptables keeps its rules in nf_tables, or, as it always did, in x_tables. */
type Variant = "nft" | "legacy";

/** Root's usual PATH, in its order. */
const FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const ANYONE_EXECUTES = 0o111;
/** Links to follow at most, and milliseconds for a program to say its version. */
const MOST_LINKS = 16;
const MOST_FOR_VERSION = 5000;

/** Path of the first executable file of that name. */
function find(family: Family, ending: string): string | undefined {
  const name = `${family === 4 ? "iptables" : "ip6tables"}${ending}`;
  for (const folder of `${FOLDERS}:${environment.PATH ?? ""}`.split(":")) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/${name}`;
    try {
      const found = status(path);
      if (isRegular(found) && (found.mode & ANYONE_EXECUTES) !== 0) return path;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
  return undefined;
}

/** The host's own iptables-restore: what `iptables` is on it. Undefined when there is none. */
export const findRestore = (family: Family): string | undefined => find(family, "-restore");

/** The restore program of the legacy variant, which may be there beside the host's own. */
export async function findLegacyRestore(family: Family): Promise<string | undefined> {
  const path = find(family, "-legacy-restore");
  if (path !== undefined) return path;
  const own = findRestore(family);
  return own !== undefined && (await variantOf(own)) === "legacy" ? own : undefined;
}

/**
 * The variant of a program. All of iptables is one file per variant, to which the commands are links, so the names
 * along the links tell: xtables-nft-multi, xtables-legacy-multi. Only a program that is not such a link is asked.
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
  const known = answers.get(identity) ?? (await askedVariant(path));
  answers.set(identity, known);
  return known;
}

/** Answers of programs by their identity: asking costs a child process. */
const answers = new Map<string, Variant>();

/** What its version says. @throws CniError when it cannot be run or does not end */
async function askedVariant(path: string): Promise<Variant> {
  const { runProgram } = await import("../../sys/child.ts");
  try {
    const { stdout } = runProgram({ path, arguments: ["--version"], most: MOST_FOR_VERSION });
    return new TextDecoder().decode(stdout).includes("nf_tables") ? "nft" : "legacy";
  } catch (error) {
    throw toCniError(error).during(`cannot run ${JSON.stringify(path)} to see its version`);
  }
}

/**
 * The table that the host's iptables works on; undefined where it can't. The rules of the nft variant are written over
 * netlink, yet only where its program is installed: rules that no tool on the host shows serve no one.
 */
export async function hostTable(
  connection: Connection | undefined,
  family: Family,
): Promise<NatTable | undefined> {
  const own = findRestore(family);
  if (connection !== undefined && own !== undefined && (await variantOf(own)) === "nft")
    return { family, connection };
  return await legacyTable(family);
}

/** The table of the legacy variant, where that is installed: also for kernels that have nf_tables, but not for a family. */
export const legacyTable = async (family: Family): Promise<NatTable | undefined> =>
  (await findLegacyRestore(family)) === undefined ? undefined : { family, connection: undefined };

/**
 * B27: the backend that is asked for, or else iptables where it works, as far as that shows without changing anything.
 * It looks at the same things on each command.
 */
export async function chosen(
  backend: Backend | undefined,
  connection: Connection | undefined,
): Promise<Backend> {
  if (backend !== undefined) return backend;
  return (await hostTable(connection, 4)) === undefined ? "nftables" : "iptables";
}
