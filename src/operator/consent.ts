/** Whether a command may change the host (rule O2). */
import { CommandError, exitCode } from "./exit-codes.ts";
import { hasOption, type Input } from "./input.ts";

/**
 * Called after the command has said what it would do. True with --yes, or if the person at the terminal agrees to the question.
 * Otherwise nothing may be changed, which is said on standard error. @throws CommandError for --yes with --dry-run
 */
export function consents(input: Pick<Input, "options" | "terminal">, question: string): boolean {
  const { terminal } = input;
  const isDry = hasOption(input, "dryRun");
  if (hasOption(input, "yes")) {
    if (!isDry) return true;
    throw new CommandError(exitCode.wrongUse, "--yes and --dry-run contradict each other; give one of them");
  }
  const answer = isDry ? undefined : terminal.ask(question);
  if (answer === true) return true;
  terminal.stderr(answer === false ? "nothing was changed\n" : "nothing was changed; --yes does it\n");
  return false;
}
