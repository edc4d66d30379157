/** Parses CNI_ARGS: "K=V;K=V" (rules A50, A51). */
import { CniError, code } from "./error.ts";

const IGNORE_UNKNOWN = "IgnoreUnknown";

/** The interface plugin and its IPAM plugin get the same string, so each accepts the other's keys (rule A51). */
const KNOWN = ["IP", "GATEWAY", "MAC"];

/**
 * The values of IP, GATEWAY and MAC in CNI_ARGS. Keys are case-sensitive, and the last of two equal keys counts. Other keys are
 * accepted only together with IgnoreUnknown=1 or true.
 * @throws CniError code 4.
 */
export function parseCniArgs(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  if (text === "") return values;
  const unknown: string[] = [];
  let ignoreUnknown = false;
  for (const pair of text.split(";")) {
    const [key, value, ...rest] = pair.split("=");
    if (key === undefined || value === undefined || rest.length > 0) {
      throw invalid(`invalid pair ${JSON.stringify(pair)}: must be KEY=VALUE with one "="`);
    }
    if (key === IGNORE_UNKNOWN) ignoreUnknown = parseBoolean(pair, value);
    else if (KNOWN.includes(key)) values[key] = value;
    else unknown.push(JSON.stringify(pair));
  }
  if (unknown.length > 0 && !ignoreUnknown) {
    const known = [...KNOWN, IGNORE_UNKNOWN].join(", ");
    throw invalid(
      `unknown args [${unknown.join(" ")}]: the known keys are ${known}; IgnoreUnknown=1 accepts others`,
    );
  }
  return values;
}

/** The reference accepts 1, 0, and true and false in any case. */
function parseBoolean(pair: string, value: string): boolean {
  const lower = value.toLowerCase();
  if (lower === "1" || lower === "true") return true;
  if (lower === "0" || lower === "false") return false;
  throw invalid(`error parsing value of pair ${JSON.stringify(pair)}: must be 1, 0, true or false`);
}

const invalid = (problem: string): CniError => new CniError(code.invalidEnvironment, `ARGS: ${problem}`);
