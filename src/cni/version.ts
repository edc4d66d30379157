/** Versions of the protocol (rules A11, A12, A19). */
import { CniError, code } from "./error.ts";

/** All versions that the plugins speak, oldest first. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type Version = (typeof SUPPORTED_VERSIONS)[number];

/** The version that a result has inside the program, and that errors carry when the configuration's is unknown. */
export const CURRENT_VERSION: Version = "1.1.0";

/** Whether `version` is `minimum` or later. */
export const atLeast = (version: Version, minimum: Version): boolean =>
  SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(minimum);

/** The supported version that `text` names, undefined for any other; absent or empty means 0.1.0. */
export const findVersion = (text: string | undefined): Version | undefined =>
  SUPPORTED_VERSIONS.find((version) => version === (text || "0.1.0"));

/** The version of a configuration: absent or empty means 0.1.0. @throws CniError code 1 for one not supported. */
export function parseVersion(text: string | undefined): Version {
  const known = findVersion(text);
  if (known !== undefined) return known;
  throw new CniError(
    code.incompatibleVersion,
    "incompatible CNI versions",
    `config is ${JSON.stringify(text)}, plugin supports ${JSON.stringify(SUPPORTED_VERSIONS)}`,
  );
}

/** The versions that brought a command. ADD and DEL were always there. */
const BROUGHT_BY: Readonly<Record<string, Version>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/**
 * Refuses a command that the configuration's version does not have (rule A12). A version that is later than all
 * supported ones passes here; parseVersion refuses it.
 * @throws CniError code 6 if the version is not made of numbers, code 1 if it is too old.
 */
export function requireCommand(command: string, text: string | undefined): void {
  const minimum = BROUGHT_BY[command];
  if (minimum === undefined) return;
  const version = text || "0.1.0";
  if (compare(numbersOf(version), numbersOf(minimum)) >= 0) return;
  throw new CniError(
    code.incompatibleVersion,
    `config version does not allow ${command}`,
    `config is ${JSON.stringify(version)}, ${command} needs ${minimum} or later`,
  );
}

/** Major, minor and micro number; the last two may be left out. */
function numbersOf(text: string): number[] {
  if (/^\d+(\.\d+){0,2}$/.test(text)) return text.split(".").map(Number);
  throw new CniError(
    code.decoding,
    `cannot decode key "cniVersion": invalid version ${JSON.stringify(text)}`,
  );
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
