/** The answers that need no configuration: VERSION and the about line. Stdin is not read (rule A7). */
import type { Host } from "./protocol.ts";
import { CURRENT_VERSION, REFERENCE_LEVEL, SUPPORTED_VERSIONS } from "./version.ts";

/** Answers VERSION (rule A19) or a call without a command. Returns false for any other command. */
export function isAnswered(
  plugin: string,
  version: string,
  { environment, stdout, stderr }: Pick<Host, "environment" | "stdout" | "stderr">,
): boolean {
  const command = environment.CNI_COMMAND;
  if (!command) stderr(aboutText(plugin, version));
  else if (command !== "VERSION") return false;
  else stdout(`${JSON.stringify({ cniVersion: CURRENT_VERSION, supportedVersions: SUPPORTED_VERSIONS })}\n`);
  return true;
}

/**
 * The about line (rule A5). Runtimes and scripts read a version from it and compare it with versions of the reference
 * (docs/conformance.md). So the line names the version of the reference that this program equals. The program's own version
 * follows after "+", which semantic versioning ignores in comparisons.
 */
function aboutText(plugin: string, version: string): string {
  const versions = SUPPORTED_VERSIONS.join(", ");
  return `CNI ${plugin} plugin v${REFERENCE_LEVEL}+Bridgehead.${version}\nCNI protocol versions supported: ${versions}\n`;
}
