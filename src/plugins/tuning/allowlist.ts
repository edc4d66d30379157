/** The administrator's list of sysctls that networks may set (rules T7, T38). Without the file all are allowed. */
import { CniError, code } from "../../cni/error.ts";
import { failedWith, SystemError } from "../../sys/errno.ts";
import { readText } from "../../sys/file.ts";
import { ExpressionError } from "./go-characters.ts";
import { compileGo } from "./go-expression.ts";
import type { Sysctl } from "./sysctls.ts";

const ALLOWLIST = "/etc/cni/tuning/allowlist.conf";

/** A line that is not empty and not a comment. */
interface Line {
  readonly number: number;
  readonly expression: string;
}

/** The lines of the file; undefined if there is none. @throws CniError code 5 */
function readLines(): Line[] | undefined {
  let text: string;
  try {
    text = readText(ALLOWLIST);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    if (!(error instanceof SystemError)) throw error;
    throw new CniError(code.io, `cannot read the allowlist of sysctls ${ALLOWLIST}: ${error.message}`, "", {
      cause: error,
    });
  }
  return text
    .split("\n")
    .map((line, index): Line => ({ number: index + 1, expression: line.trim() }))
    .filter(({ expression }) => expression !== "" && !expression.startsWith("#"));
}

/**
 * Verifies that each setting matches a line. As in the reference, lines behind the one that matches are not looked at.
 * @throws CniError code 7 for one that does not match or an invalid line before, code 5 for a file that cannot be read
 */
export function requireAllowed(sysctls: readonly Sysctl[]): void {
  const lines = readLines();
  if (lines === undefined) return;
  for (const { key, name } of sysctls) {
    if (lines.some((line) => compiled(line).test(name))) continue;
    const others =
      lines.length === 0
        ? `${ALLOWLIST} allows none`
        : `Only the following sysctls are allowed: [${lines.map(({ expression }) => expression).join(" ")}]`;
    throw new CniError(
      code.invalidConfig,
      `Sysctl ${key} is not allowed. ${others}; take it out, or add a line that matches ${JSON.stringify(name)} to ${ALLOWLIST}`,
    );
  }
}

/** Verifies that the file can be read, and each of its lines. @throws CniError */
export function requireValid(): void {
  readLines()?.forEach(compiled);
}

function compiled({ number, expression }: Line): RegExp {
  try {
    return compileGo(expression);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new CniError(
      code.invalidConfig,
      `cannot use line ${number} of ${ALLOWLIST}: error parsing regexp: ${error.message}; ` +
        `${JSON.stringify(expression)} is not a regular expression of Go`,
      "",
      { cause: error },
    );
  }
}
