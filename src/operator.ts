/** The operator's command: it runs when the program is called by a name that is not a plugin's. */
import type { Program } from "./operator/input.ts";
import { untilClosed } from "./operator/until-closed.ts";
import { versionText } from "./operator/version-text.ts";

/** Runs a command and returns the exit code. */
export async function runOperatorCommand(words: readonly string[], program: Program): Promise<number> {
  const [word, ...rest] = words;
  if (rest.length === 0 && (word === "--version" || word === "version")) {
    program.stdout(versionText(program.version));
    return 0;
  }
  const { runCommand } = await import("#operator");
  return runCommand(words, { ...program, stdout: untilClosed(program.stdout) });
}
