/** The commands of the Bun file. package.json's `imports` selects it there as "#operator". */
import { limitCall } from "../sys/deadline.ts";
import { COMMANDS } from "./commands.ts";
import type { ExitCode } from "./exit-codes.ts";
import { explainFailure } from "./failure.ts";
import type { Program } from "./input.ts";
import { parse } from "./parser.ts";
import { endProgress, withProgress } from "./progress.ts";
import { withWrapping } from "./sentences.ts";
import { openTerminal } from "./terminal.ts";

/** Milliseconds that a command may take: it looks at all containers of the host, and an operator waits for it. */
const MOST = 600_000;

/** Runs a command and returns the exit code. */
export async function runCommand(words: readonly string[], given: Program): Promise<ExitCode> {
  limitCall(MOST);
  const program = withWrapping(given);
  let name = "bridgehead";
  let shown = program;
  try {
    const call = await parse(words.length === 0 ? ["--help"] : words, program);
    if (typeof call === "number") return call;
    const { row, ...rest } = call;
    name = `bridgehead ${row.name}`;
    shown = withProgress(program, rest);
    const terminal = openTerminal(shown);
    const { run } = await row.load();
    return await run({ ...rest, terminal, program: shown, commands: COMMANDS });
  } catch (error) {
    const { exit, message } = explainFailure(error);
    shown.stderr(`${name}: ${message}\n`);
    return exit;
  } finally {
    endProgress();
  }
}
