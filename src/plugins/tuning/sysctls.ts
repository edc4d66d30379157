/** The configured kernel settings of the container: their files, and how they are read and written (rules T5, T6, T14). */
import { CniError, code } from "../../cni/error.ts";
import { membersAt } from "../../cni/json-scan.ts";
import type { Request } from "../../cni/plugin.ts";
import { wrongType } from "../../schema/key-error.ts";
import type { Document } from "../../schema/keys.ts";
import { close, writeAll } from "../../sys/descriptor.ts";
import { failedWith, SystemError, unlessFailed } from "../../sys/errno.ts";
import { O, open, readText, withFile } from "../../sys/file.ts";

/** One setting. */
export interface Sysctl {
  /** As it is written in the configuration. */
  readonly key: string;
  /** The key with dots between its parts, IFNAME not replaced. The allowlist's expressions are for this form (T38). */
  readonly name: string;
  /** The file below /proc/sys. */
  readonly path: string;
  readonly value: string;
}

/**
 * The settings of the configuration in their order. Those of args.cni follow, or take the place of one with the same file.
 * @throws KeyError for a value that is not text; CniError code 7 for a key that is repeated or not below net
 */
export function sysctlsOf(
  { stdin, ifname }: Pick<Request, "stdin" | "ifname">,
  configured: Document | undefined,
  argument: Document | undefined,
): Sysctl[] {
  refuseRepeated(stdin);
  const all = readSection("sysctl", configured, ifname);
  for (const [path, sysctl] of readSection("args.cni.sysctl", argument, ifname)) all.set(path, sysctl);
  return [...all.values()];
}

function readSection(section: string, document: Document | undefined, ifname: string): Map<string, Sysctl> {
  const found = new Map<string, Sysctl>();
  for (const [key, value] of Object.entries(document ?? {})) {
    if (value === null) continue;
    if (typeof value !== "string") throw wrongType(`${section}.${key}`, "a string", value);
    const sysctl = { key, value, ...fileOf(key, ifname) };
    const earlier = found.get(sysctl.path);
    if (earlier !== undefined) throw repeated(`${earlier.key}" and "${key}" are the same setting`);
    found.set(sysctl.path, sysctl);
  }
  return found;
}

/** JSON's own parser drops all but the last of two equal keys. */
function refuseRepeated(stdin: Uint8Array): void {
  const seen = new Set<string>();
  for (const { key: section, start } of membersAt(stdin, 0)) {
    if (section.toLowerCase() !== "sysctl") continue;
    for (const { key } of membersAt(stdin, start)) {
      if (seen.has(key)) throw repeated(`${key}" is there twice`);
      seen.add(key);
    }
  }
}

const repeated = (what: string): CniError =>
  new CniError(code.invalidConfig, `duplicated sysctl keys are not allowed: "${what}; remove one`);

/** Dots and slashes separate the parts of a key. The dots of an interface's name survive, since IFNAME stands for it. */
function fileOf(key: string, ifname: string): Pick<Sysctl, "name" | "path"> {
  const parts = key.split(/[./]/).filter((part) => part !== "");
  // A function: in a text, "$" would have a meaning.
  const file = parts.join("/").replace("IFNAME", () => ifname);
  if (parts.length > 1 && parts[0] === "net" && !file.includes("\0"))
    return { name: parts.join("."), path: `/proc/sys/${file}` };
  throw new CniError(
    code.invalidConfig,
    `invalid net sysctl key: ${JSON.stringify(file)}: only settings below "net" are the container's own, as in "net.ipv4.ip_forward"`,
  );
}

/** Verifies that a setting can be written, and returns its text; undefined if it cannot be read. @throws CniError */
export function requireWritable(sysctl: Sysctl, netns: string): string | undefined {
  try {
    close(open(sysctl.path, O.WRONLY | O.NONBLOCK));
  } catch (error) {
    throw unset(sysctl, netns, error);
  }
  return unlessFailed(() => readText(sysctl.path));
}

/** Sets a setting of the calling thread's namespace. @throws CniError */
export function writeSysctl(sysctl: Sysctl, netns: string, value = sysctl.value): void {
  try {
    withFile(sysctl.path, O.WRONLY | O.NONBLOCK, 0, (fd) => writeAll(fd, new TextEncoder().encode(value)));
  } catch (error) {
    throw unset(sysctl, netns, error);
  }
}

function unset({ key, path, value }: Sysctl, netns: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const action = `cannot set sysctl ${JSON.stringify(key)} to ${JSON.stringify(value)} in ${netns}`;
  const state = failedWith(error, "ENOENT")
    ? `there is no ${path}; correct the key, and write IFNAME for an interface`
    : error.message;
  return new CniError(code.internal, `${action}: ${state}`, "", { cause: error });
}

/** Whether two texts of a setting are the same: the kernel has its own white space between the parts of a value. */
export const sameValue = (one: string, other: string): boolean =>
  one.trim().split(/\s+/).join(" ") === other.trim().split(/\s+/).join(" ");
