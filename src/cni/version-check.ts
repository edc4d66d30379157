/** Checks that a configuration's version is supported and has the command (rules A11, A12). */
import { wrongType } from "../schema/key-error.ts";
import { CniError, code } from "./error.ts";
import { findVersion, type Version, versionsFrom } from "./version.ts";

/**
 * The version of a configuration. Absent or empty means 0.1.0.
 * @param oldest the first version that the plugin supports. @throws CniError code 1 if it is not supported
 */
export function parseVersion(text: string | undefined, oldest?: Version): Version {
  const known = findVersion(text);
  const versions = versionsFrom(oldest);
  if (known !== undefined && versions.includes(known)) return known;
  const supported = versions.map((version) => JSON.stringify(version)).join(" ");
  throw new CniError(
    code.incompatibleVersion,
    "incompatible CNI versions",
    `config is ${JSON.stringify(text)}, plugin supports [${supported}]`,
  );
}

/** The versions that brought these commands. ADD and DEL are in every version. */
export const BROUGHT_BY = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" } as const;

function broughtBy(command: string): Version | undefined {
  for (const [name, version] of Object.entries(BROUGHT_BY)) if (name === command) return version;
  return undefined;
}

/**
 * Refuses a command that a configuration's version does not have yet (rule A12). parseVersion checks whether the version
 * is supported.
 * @throws CniError code 1; KeyError for a version that is not made of numbers.
 */
export function requireCommand(command: string, text: string | undefined): void {
  const minimum = broughtBy(command);
  if (minimum === undefined) return;
  const version = text || "0.1.0";
  if (isAtLeast(version, minimum)) return;
  throw new CniError(code.incompatibleVersion, `config version does not allow ${command}`);
}

/** Major, minor and micro number. The last two are optional. */
function numbersOf(text: string): number[] {
  if (/^\d+(\.\d+){0,2}$/.test(text)) return text.split(".").map(Number);
  throw wrongType("cniVersion", "numbers joined by dots", text);
}

/**
 * Whether a version, supported or not, is `minimum` or later.
 * @throws KeyError for one that is not made of numbers.
 */
export function isAtLeast(version: string, minimum: Version): boolean {
  const numbers = numbersOf(version);
  for (const [index, wanted] of numbersOf(minimum).entries()) {
    const number = numbers[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}
