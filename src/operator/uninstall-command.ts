/** `bridgehead uninstall [DIR]` of the Bun file: puts back what was there before the installation. */
import type { ExitCode } from "./exit-codes.ts";
import type { Input } from "./input.ts";
import { runUninstall } from "./install-report.ts";

export const run = async (input: Input): Promise<ExitCode> => runUninstall(input);
