/** Runs a delegate as a child process and reads its output (rules A46–A48). */

import { wrongType } from "../schema/key-error.ts";
import type { Keys } from "../schema/keys.ts";
import { get, objectOf, parse } from "../schema/parse.ts";
import type { Environment } from "./environment.ts";
import { CniError, code, toCniError } from "./error.ts";
import { parseJson } from "./json-bytes.ts";
import type { ChildOutcome, Delegation, Request } from "./plugin.ts";
import type { Result } from "./result.ts";
import { parseResult } from "./result-parse.ts";

/** What a child gets, and what runs it. */
export interface ChildCall extends Pick<Request, "stdin" | "log"> {
  readonly delegation: Pick<Delegation, "run">;
}

/**
 * Runs the executable at `path` to its end and logs its stderr. Returns its stdout.
 * @throws CniError: the child's own; code 11 if it did not end in time; code 999 if it printed none or did not start.
 */
export async function runChild(
  request: ChildCall,
  path: string,
  environment: Environment,
): Promise<Uint8Array> {
  let outcome: ChildOutcome;
  try {
    outcome = await request.delegation.run(path, environment, request.stdin);
  } catch (error) {
    if (error instanceof Error && "stderr" in error && error.stderr instanceof Uint8Array) {
      passOn(request, error.stderr);
    }
    throw toCniError(error).during(`cannot run plugin ${JSON.stringify(path)}`);
  }
  const stderr = passOn(request, outcome.stderr);
  if (outcome.exitCode === 0) return outcome.stdout;
  throw childError(outcome, stderr, path);
}

/** Logs a child's stderr, and returns it as text. */
function passOn(request: ChildCall, stderr: Uint8Array): string {
  const words = new TextDecoder().decode(stderr).trimEnd();
  if (words !== "") request.log(words);
  return words;
}

/** The result that the executable at `path` printed. Without cniVersion it has the configuration's version. */
export function readChildResult(
  { config }: { readonly config: Pick<Request["config"], "cniVersion"> },
  path: string,
  stdout: Uint8Array,
): Result {
  try {
    return parseResult(parseJson(stdout, "its output"), "result", config.cniVersion);
  } catch (error) {
    throw toCniError(error).during(`plugin ${JSON.stringify(path)} succeeded without a valid result`);
  }
}

/** The most characters of a child's output that an error quotes: more than a page. */
const MOST_QUOTED = 4096;

/** A child's output for an error, cut if it is long. */
function quoted(words: string): string {
  if (words.length <= MOST_QUOTED) return JSON.stringify(words);
  const beginning = JSON.stringify(words.slice(0, MOST_QUOTED).toWellFormed());
  return `${beginning} (the first ${MOST_QUOTED} of ${words.length} characters)`;
}

/** The error that a failed child printed, else one made of its stderr and its exit status. */
function childError({ exitCode, signal, stdout }: ChildOutcome, stderr: string, path: string): CniError {
  const printed = new TextDecoder().decode(stdout).trim();
  let problem: string;
  if (printed !== "") {
    try {
      return readError(stdout);
    } catch (failure) {
      const reason = toCniError(failure).message;
      problem = `netplugin failed but error parsing its diagnostic message ${quoted(printed)}: ${reason}`;
    }
  } else if (stderr !== "") {
    problem = `netplugin failed: ${quoted(stderr)}`;
  } else {
    problem = "netplugin failed with no error message";
  }
  const end = exitCode === null ? `killed by ${signal ?? "a signal"}` : `exit status ${exitCode}`;
  const Failure = exitCode === null ? KilledError : CniError;
  return new Failure(code.internal, `${problem}: ${end} of plugin ${JSON.stringify(path)}`);
}

/** A signal ended the child before it printed an error. */
export class KilledError extends CniError {}

const ERROR_KEYS = [
  ["code", "integer", code.internal, ""],
  ["details", "text", null, ""],
] as const satisfies Keys;

function readError(stdout: Uint8Array): CniError {
  const document = objectOf(parseJson(stdout, "it"), "error");
  const error = parse(ERROR_KEYS, document, "error");
  // Not among the keys, to which an empty text is an absent one: here the code counts without words (A47).
  const message = get(document, "msg");
  if (typeof message !== "string") throw wrongType("error.msg", "a string", message);
  return new CniError(error.code, message, error.details);
}
