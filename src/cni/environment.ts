/** The CNI_* variables (rules A1–A6). */
import { CniError, code } from "./error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says of one call. What the command has no use for is empty, whatever was set (rule A2). */
export interface Invocation {
  /** As it came: A6 puts the check that it is known behind the configuration's. */
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

const ATTACHMENT = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_NETNS_OVERRIDE"];

/** The variables that a command requires, and those that it takes. Unknown commands and VERSION use none. */
const USE: Readonly<
  Record<string, { readonly required: readonly string[]; readonly taken: readonly string[] }>
> = {
  ADD: { required: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"], taken: ATTACHMENT },
  CHECK: { required: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"], taken: ATTACHMENT },
  DEL: { required: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"], taken: ATTACHMENT },
  GC: { required: ["CNI_PATH"], taken: [] },
  STATUS: { required: ["CNI_PATH"], taken: [] },
};

/** Validators by variable. They run in the order of `required`, and only on what is there. */
const VALIDATE: Readonly<Record<string, (value: string) => void>> = {
  CNI_CONTAINERID: validateContainerId,
  CNI_IFNAME: validateIfname,
};

/**
 * Reads and validates the variables of a call whose CNI_COMMAND is set.
 * @throws CniError code 4. An invalid value is reported before missing ones.
 */
export function readEnvironment(environment: Environment): Invocation {
  const command = environment.CNI_COMMAND ?? "";
  const { required, taken } = USE[command] ?? { required: [], taken: [] };
  const missing: string[] = [];
  for (const name of required) {
    const value = environment[name] ?? "";
    if (value === "") missing.push(name);
    else VALIDATE[name]?.(value);
  }
  if (missing.length > 0) {
    throw new CniError(code.invalidEnvironment, `required env variables [${missing.join(",")}] missing`);
  }
  const take = (name: string): string => (taken.includes(name) ? (environment[name] ?? "") : "");
  const override = take("CNI_NETNS_OVERRIDE");
  return {
    command,
    containerId: take("CNI_CONTAINERID"),
    netns: take("CNI_NETNS"),
    ifname: take("CNI_IFNAME"),
    args: take("CNI_ARGS"),
    path: (environment.CNI_PATH ?? "").split(":"),
    netnsOverride: override.toUpperCase() === "TRUE" || override === "1",
  };
}

/** Characters of container ids and network names (rules A3, A10): nothing that could leave a directory. */
export const isPlainName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);

function validateContainerId(value: string): void {
  if (isPlainName(value)) return;
  throw new CniError(code.invalidEnvironment, "invalid characters in containerID", value);
}

/** Bytes of an interface name without the final NUL (IFNAMSIZ of uapi linux/if.h less one). */
const MAX_IFNAME_BYTES = 15;

/** Rule A4; the kernel's own rule is dev_valid_name() of net/core/dev.c. */
function validateIfname(value: string): void {
  const problem = ifnameProblem(value);
  if (problem !== undefined) throw new CniError(code.invalidEnvironment, problem, JSON.stringify(value));
}

function ifnameProblem(value: string): string | undefined {
  if (new TextEncoder().encode(value).length > MAX_IFNAME_BYTES) {
    return `interface name is too long: CNI_IFNAME must have at most ${MAX_IFNAME_BYTES} bytes`;
  }
  if (value === "." || value === "..") return "interface name is . or ..";
  if (/[/:\p{White_Space}]/u.test(value)) return "interface name contains / or : or whitespace characters";
  return undefined;
}
