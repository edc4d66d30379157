/** `bridgehead install [DIR]` of the Bun file: installs this program under all of its names. */
import type { ExitCode } from "./exit-codes.ts";
import type { Input } from "./input.ts";
import { runInstall } from "./install-report.ts";

export const run = async (input: Input): Promise<ExitCode> => runInstall(input);
