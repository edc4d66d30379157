/** How a command of the operator ends (rule O4). */

/** The exit codes. Findings are on standard output, and what went wrong with the look itself on standard error. */
export const exitCode = {
  fine: 0,
  /** Problems were found, or something could not be done. All of them are named. */
  problems: 1,
  wrongUse: 2,
  /** The message says which capability is missing. */
  notPermitted: 3,
  /** A source could not be read, so the answer is not known, and nothing was changed. */
  cannotTell: 4,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Ends a command. The message has the action, the quoted value, the state that was found and the remedy. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exit: ExitCode;

  constructor(exit: ExitCode, message: string) {
    super(message);
    this.exit = exit;
  }
}
