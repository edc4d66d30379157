/** The versions of the protocol (rules A11, A12, A19) and of the reference. */

/** The version of containernetworking/plugins that the plugins behave like. */
export const REFERENCE_LEVEL = "1.9.1";

/** All supported versions, oldest first. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type Version = (typeof SUPPORTED_VERSIONS)[number];

/** The version of a result inside the program, and of errors when the configuration's version is unknown. */
export const CURRENT_VERSION: Version = "1.1.0";

/** Whether `version` is `minimum` or later. */
export const atLeast = (version: Version, minimum: Version): boolean =>
  SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(minimum);

/** The supported versions of a plugin, oldest first; `oldest` is undefined for a plugin that supports all. */
export const versionsFrom = (oldest: Version | undefined): readonly Version[] =>
  oldest === undefined ? SUPPORTED_VERSIONS : SUPPORTED_VERSIONS.filter((each) => atLeast(each, oldest));

/** The supported version of this text; undefined for any other. Absent or empty means 0.1.0 (rule A11). */
export function findVersion(text: string | undefined): Version | undefined {
  const wanted = text || "0.1.0";
  for (const version of SUPPORTED_VERSIONS) if (version === wanted) return version;
  return undefined;
}
