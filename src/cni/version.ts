/** Versions of the protocol (rules A11, A12, A19), and of the reference. */

/** The version of containernetworking/plugins whose behaviour the plugins have. */
export const REFERENCE_LEVEL = "1.9.1";

/** All versions that the plugins speak, oldest first. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** A version of the protocol that the plugins speak. */
export type Version = (typeof SUPPORTED_VERSIONS)[number];

/** The version that a result has inside the program, and that errors carry when the configuration's is unknown. */
export const CURRENT_VERSION: Version = "1.1.0";

/** Whether `version` is `minimum` or later. */
export const atLeast = (version: Version, minimum: Version): boolean =>
  SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(minimum);

/** The supported version of this text; undefined for any other. Absent or empty means 0.1.0 (rule A11). */
export function findVersion(text: string | undefined): Version | undefined {
  const wanted = text || "0.1.0";
  for (const version of SUPPORTED_VERSIONS) if (version === wanted) return version;
  return undefined;
}
