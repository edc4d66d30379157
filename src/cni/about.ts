/** What a plugin says without a configuration: stdin is not read (rule A7). */
import type { Host } from "./protocol.ts";
import { CURRENT_VERSION, REFERENCE_LEVEL, SUPPORTED_VERSIONS } from "./version.ts";

/** Answers VERSION (rule A19: all plugins alike), or a call without a command. False for any other command. */
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
 * Rule A5, of a plugin in the program's `version`. Runtimes and scripts read a version out of the first line, and compare
 * it with versions of the reference (docs/conformance.md). So it is the reference's that this program equals, and after the
 * "+" the program itself: the whole is one semantic version, of which parsers compare only what is before the "+".
 */
function aboutText(plugin: string, version: string): string {
  const versions = SUPPORTED_VERSIONS.join(", ");
  return `CNI ${plugin} plugin v${REFERENCE_LEVEL}+Bridgehead.${version}\nCNI protocol versions supported: ${versions}\n`;
}
