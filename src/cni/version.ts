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

/** The version of a configuration: absent or empty means 0.1.0. @throws CniError code 1 for one not supported. */
export function parseVersion(text: string | undefined): Version {
  const wanted = text === undefined || text === "" ? "0.1.0" : text;
  const known = SUPPORTED_VERSIONS.find((version) => version === wanted);
  if (known !== undefined) return known;
  throw new CniError(
    code.incompatibleVersion,
    "incompatible CNI versions",
    `config is ${JSON.stringify(wanted)}, plugin supports ${JSON.stringify(SUPPORTED_VERSIONS)}`,
  );
}
