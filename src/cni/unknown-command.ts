/**
 * Recognizes delegates that are older than STATUS and GC (rules A36, A38). Not knowing the command is not a failure. Loaded
 * only when such a call has failed.
 */

import type { Keys } from "../schema/keys.ts";
import { parse } from "../schema/parse.ts";
import { KilledError, runChild } from "./delegate-child.ts";
import { type CniError, code, toCniError } from "./error.ts";
import { parseJson } from "./json-bytes.ts";
import type { Request } from "./plugin.ts";
import { BROUGHT_BY, isAtLeast } from "./version-check.ts";

/** Codes that show that the plugin knows the command, or that it was not reached. */
const ANSWERS: readonly number[] = [code.notAvailable, code.notAvailableLimited, code.tryAgainLater];

/** Whether a failure of the executable at `path` means only that it does not know the command. */
export async function isUnknownTo(
  request: Request,
  path: string,
  command: "STATUS" | "GC",
  error: CniError,
): Promise<boolean> {
  if (ANSWERS.includes(error.code) || error instanceof KilledError) return false;
  if (saysUnknown(`${error.message}; ${error.details}`, command)) return true;
  // It refuses the configuration's version, so that ADD fails as well.
  if (error.code === code.incompatibleVersion) return false;
  return isOlderThan(request, path, command, error);
}

const NOUN = "(?:CNI[_ -]?COMMAND|(?:(?:CNI|cni|plugin) )?(?:[Cc]ommand|[Mm]ethod|[Oo]peration|[Vv]erb))";
const UNKNOWN = "(?:[Uu]nknown|[Uu]nsupported|[Uu]nrecogni[sz]ed|[Uu]nimplemented|[Uu]nexpected|[Ii]nvalid)";
const NOT = "(?:not (?:supported|implemented|known|recogni[sz]ed|allowed)|unsupported|unimplemented|unknown)";

/**
 * The messages of all versions of skel, and of plugins and scripts without skel. Only the command in capitals counts, as
 * "the pool's status is unknown" is another failure.
 */
function saysUnknown(text: string, command: string): boolean {
  return [
    // "unknown CNI_COMMAND: STATUS", "Invalid command GC", "unsupported CNI command"
    String.raw`\b${UNKNOWN} ${NOUN}\b(?! line)`,
    // "STATUS is not supported", "command 'GC' not implemented"
    String.raw`\b${command}\b\W{1,3}(?:is |was )?${NOT}\b`,
    String.raw`\b${NOUN} (?:is |was )?${NOT}\b`,
    // "config version does not allow STATUS", "does not implement the command GC"
    String.raw`\b(?:does not|doesn't|cannot) (?:allow|support|implement|know|handle) (?:the )?(?:${NOUN}\W{1,3})?${command}\b`,
  ].some((words) => new RegExp(words).test(text));
}

const VERSION_KEYS = [["supportedVersions", "text[]!", null, ""]] as const satisfies Keys;

/**
 * Whether the delegate's answer to VERSION shows that it is older. A delegate without an answer is taken for a script for
 * ADD and DEL alone if it refuses both commands in the same words, or if its error is about the environment: for STATUS
 * and GC that can only be CNI_COMMAND.
 */
async function isOlderThan(
  request: Request,
  path: string,
  command: "STATUS" | "GC",
  error: CniError,
): Promise<boolean> {
  const first = BROUGHT_BY[command];
  const isOfEnvironment = error.code === code.invalidEnvironment;
  let printed: Uint8Array;
  try {
    const stdin = new TextEncoder().encode(JSON.stringify({ cniVersion: first }));
    const query: Request = { ...request, stdin, log: () => {} };
    printed = await runChild(query, path, { ...request.environment, CNI_COMMAND: "VERSION" });
  } catch (thrown) {
    const refusal = toCniError(thrown);
    return !(refusal instanceof KilledError) && (isOfEnvironment || isSameRefusal(error, refusal));
  }
  try {
    const { supportedVersions: versions } = parse(VERSION_KEYS, parseJson(printed, "its output"));
    if (versions.length > 0) return !versions.some((version) => isAtLeast(version, first));
  } catch {
    // An answer without a list of versions shows nothing.
  }
  return isOfEnvironment;
}

/** Whether two errors differ only in the command that they name. */
function isSameRefusal(one: CniError, other: CniError): boolean {
  const text = ({ message, details }: CniError): string => `${message}; ${details}`.toLowerCase();
  const withoutCommand = (error: CniError): string =>
    text(error).replaceAll(/\b(?:status|gc|version)\b/g, "?");
  return text(one) !== text(other) && withoutCommand(one) === withoutCommand(other);
}
