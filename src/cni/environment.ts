/** Reads and validates the CNI_* variables (rules A1–A6, A8). */
import { CniError, code } from "./error.ts";
import { isIdentifier } from "./identifier.ts";

/** The commands that a plugin implements. VERSION is missing: the protocol answers it. */
export const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;

/** A command that a plugin implements. */
export type Command = (typeof COMMANDS)[number];

/** Rule A6. @throws CniError code 4 */
export function requireKnown(command: string): asserts command is Command {
  for (const known of COMMANDS) if (known === command) return;
  throw new CniError(code.invalidEnvironment, `unknown CNI_COMMAND: ${command}`);
}

/** Variables of a process by name. An empty value counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of one call. Those that the command does not use are empty, whatever was set (rule A2). */
export interface Invocation {
  /** As it was set. An unknown command is refused only after the configuration was found valid (rule A6). */
  readonly command: string;
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly args: string;
  /** CNI_PATH split at ":". */
  readonly path: readonly string[];
  /** CNI_NETNS_OVERRIDE: the attachment may be in the plugin's own namespace (rule A8). */
  readonly netnsOverride: boolean;
}

/**
 * Reads and validates the variables of a call whose CNI_COMMAND is set.
 * @throws CniError code 4 for the first invalid value, else for all missing variables.
 */
export function readEnvironment(environment: Environment): Invocation {
  const command = environment.CNI_COMMAND ?? "";
  const required = requiredBy(command);
  const missing: string[] = [];
  for (const name of required) {
    const value = environment[name] ?? "";
    if (value === "") missing.push(name);
    else if (name === "CNI_CONTAINERID") validateContainerId(value, command);
    else if (name === "CNI_IFNAME") validateIfname(value);
  }
  if (missing.length > 0) {
    throw new CniError(code.invalidEnvironment, `required env variables [${missing.join(",")}] missing`);
  }
  const hasAttachment = required.includes("CNI_CONTAINERID");
  const ofAttachment = (name: string): string => (hasAttachment ? (environment[name] ?? "") : "");
  const override = ofAttachment("CNI_NETNS_OVERRIDE");
  return {
    command,
    containerId: ofAttachment("CNI_CONTAINERID"),
    netns: ofAttachment("CNI_NETNS"),
    ifname: ofAttachment("CNI_IFNAME"),
    args: ofAttachment("CNI_ARGS"),
    path: (environment.CNI_PATH ?? "").split(":"),
    netnsOverride: override === "1" || override.toUpperCase() === "TRUE",
  };
}

/** The variables that a command requires, in the order of their checks (rule A1). */
function requiredBy(command: string): readonly string[] {
  switch (command) {
    case "ADD":
    case "CHECK":
      return ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];
    case "DEL":
      return ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"];
    case "GC":
    case "STATUS":
      return ["CNI_PATH"];
    default:
      return [];
  }
}

/**
 * The most bytes of a container id. Linux allows 128 KiB for one variable, its name and a NUL included (MAX_ARG_STRLEN of
 * uapi linux/binfmts.h, with pages of 4 KiB). A larger lease file is not read.
 */
const MAX_CONTAINER_ID_BYTES = 128 * 1024 - "CNI_CONTAINERID=".length - 1;

/** Rule A3. DEL accepts any length: an id that ADD refuses has nothing to delete. */
function validateContainerId(value: string, command: string): void {
  if (!isIdentifier(value)) {
    throw new CniError(code.invalidEnvironment, "invalid characters in containerID", value);
  }
  if (value.length <= MAX_CONTAINER_ID_BYTES || command === "DEL") return;
  throw new CniError(
    code.invalidEnvironment,
    `containerID is too long: CNI_CONTAINERID has ${value.length} bytes, at most ${MAX_CONTAINER_ID_BYTES} are allowed`,
  );
}

/** The most bytes of an interface name without the final NUL (IFNAMSIZ of uapi linux/if.h less one). */
const MAX_IFNAME_BYTES = 15;

const TOO_LONG = "interface name is too long";

/** Rule A4, the same as the kernel's dev_valid_name() in net/core/dev.c. */
function validateIfname(value: string): void {
  const problem = ifnameProblem(value);
  if (problem === undefined) return;
  const details =
    problem === TOO_LONG ? `interface name should be less than ${MAX_IFNAME_BYTES + 1} characters` : "";
  const remark = `CNI_IFNAME is ${JSON.stringify(value)}; use 1 to ${MAX_IFNAME_BYTES} bytes without "/", ":" and white space`;
  throw new CniError(code.invalidEnvironment, problem, details, { remark });
}

/** Why the name of an interface is refused; undefined if it is not. An empty name counts as missing (rule A1). */
export function ifnameProblem(value: string): string | undefined {
  if (new TextEncoder().encode(value).length > MAX_IFNAME_BYTES) {
    return TOO_LONG;
  }
  // An identifier has none of the characters below, and this check is faster.
  if (isIdentifier(value)) return undefined;
  if (value === "." || value === "..") return "interface name is . or ..";
  if (/[/:\p{White_Space}]/u.test(value)) return "interface name contains / or : or whitespace characters";
  return undefined;
}
