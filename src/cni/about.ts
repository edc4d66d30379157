/** The answers that need no configuration: VERSION and the about line. Stdin is not read (rule A7). */
import type { Host } from "./protocol.ts";
import { CURRENT_VERSION, REFERENCE_LEVEL, type Version, versionsFrom } from "./version.ts";

/** Answers VERSION (rule A19) or a call without a command. Returns false for any other command. */
export function isAnswered(
  plugin: string,
  version: string,
  { environment, stdout, stderr }: Pick<Host, "environment" | "stdout" | "stderr">,
  oldest?: Version,
): boolean {
  const command = environment.CNI_COMMAND;
  const supportedVersions = versionsFrom(oldest);
  if (!command) stderr(aboutText(plugin, version, supportedVersions));
  else if (command !== "VERSION") return false;
  else stdout(`${JSON.stringify({ cniVersion: CURRENT_VERSION, supportedVersions })}\n`);
  return true;
}

/**
 * The about line (rule A5). Runtimes and scripts read a version from it and compare it with versions of the reference
 * (docs/conformance.md). So the line names the version of the reference that this program equals. The program's own version
 * follows after "+", which semantic versioning ignores in comparisons.
 */
function aboutText(plugin: string, version: string, supported: readonly Version[]): string {
  const versions = supported.join(", ");
  return `CNI ${plugin} plugin v${REFERENCE_LEVEL}+Bridgehead.${version}\nCNI protocol versions supported: ${versions}\n`;
}
