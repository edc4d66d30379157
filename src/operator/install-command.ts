/** `bridgehead install [DIR]` of the Bun file. */

import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import type { Input } from "./input.ts";
import { runInstall } from "./install-report.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";

/** Installs this program under all of its names. */
export async function run({ arguments: [folder = PLUGIN_FOLDER], program }: Input): Promise<ExitCode> {
  if (folder === "") throw new CommandError(exitCode.wrongUse, 'unknown argument ""; name a folder');
  return runInstall(folder, program);
}
