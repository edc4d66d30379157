/**
 * Where iptables is and of which variant. Looked for in the system's own folders first and only then on PATH, so that
 * a runtime's, a script's and a person's call find the same program whatever their PATH is
 * (docs/decisions/0014-which-iptables.md).
 */
import { environment } from "#engine";
import { toCniError } from "../../cni/error.ts";
import type { Family } from "../../net/ip.ts";
import { runProgram } from "../../sys/child.ts";
import { SystemError } from "../../sys/errno.ts";
import { isRegular, readLink, status } from "../../sys/file.ts";
import { toolOf } from "./chain-state.ts";

/** Root's usual PATH, in its order. */
const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const ANYONE_EXECUTES = 0o111;

/** iptables keeps its rules in nf_tables, or, as it always did, in x_tables. */
export type Variant = "nft" | "legacy";

/** A program that loads rules from standard input. */
export interface Restore {
  readonly path: string;
  readonly variant: Variant;
}

/** Path of the first executable file of that name: in the system's folders, then in those of PATH that are absolute. */
function find(name: string): string | undefined {
  for (const folder of [...FOLDERS, ...(environment.PATH ?? "").split(":")]) {
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
export function findRestore(family: Family): Restore | undefined {
  const path = find(`${toolOf(family)}-restore`);
  return path === undefined ? undefined : { path, variant: variantOf(path) };
}

/** The restore program of the legacy variant, which may be there beside the host's own. */
export function findLegacyRestore(family: Family): Restore | undefined {
  const path = find(`${toolOf(family)}-legacy-restore`);
  if (path !== undefined) return { path, variant: "legacy" };
  const own = findRestore(family);
  return own?.variant === "legacy" ? own : undefined;
}

const MOST_LINKS = 16;

/**
 * The variant of a program. All of iptables is one file per variant, to which the commands are links, so the names
 * along the links tell: xtables-nft-multi, xtables-legacy-multi. Only a program that is not such a link is asked.
 */
function variantOf(path: string): Variant {
  let name = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const base = name.slice(name.lastIndexOf("/") + 1);
    if (base.includes("nft")) return "nft";
    if (base.includes("legacy") || base === "xtables-multi") return "legacy";
    const target = linkTarget(name);
    if (target === undefined) break;
    name = target.startsWith("/") ? target : `${name.slice(0, name.lastIndexOf("/"))}/${target}`;
  }
  return answerOf(path);
}

/** Milliseconds for a program to say its version. */
const MOST_FOR_VERSION = 5000;

/** Answers of programs by their identity: asking costs a child process. */
const answers = new Map<string, Variant>();

function answerOf(path: string): Variant {
  const { device, inode } = status(path);
  const known = answers.get(`${device} ${inode}`);
  if (known !== undefined) return known;
  const variant = versionOf(path).includes("nf_tables") ? "nft" : "legacy";
  answers.set(`${device} ${inode}`, variant);
  return variant;
}

/** What it prints of its version. @throws CniError when it cannot be run or does not end */
function versionOf(path: string): string {
  try {
    const { stdout } = runProgram({ path, arguments: ["--version"], most: MOST_FOR_VERSION });
    return new TextDecoder().decode(stdout);
  } catch (error) {
    throw toCniError(error).during(`cannot run ${JSON.stringify(path)} to see its version`);
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readLink(path);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
