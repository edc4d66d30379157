/** Runs commands and keeps all that they said. */

/** A command as a list of words, or as one line that /bin/sh reads. */
export type Command = string | readonly string[];

export interface CommandOptions {
  readonly stdin?: string | Uint8Array;
  /** Instead of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds until the command is killed. */
  readonly timeout?: number;
}

export interface Outcome {
  readonly command: string;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that failed, with all of its output in the message. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(
      `\`${outcome.command}\` ended with exit code ${outcome.exitCode}\n${outcome.stdout}${outcome.stderr}`,
    );
    this.outcome = outcome;
  }
}

const words = (command: Command): string[] =>
  typeof command === "string" ? ["/bin/sh", "-c", command] : [...command];

/** Runs a command to its end, whatever its exit code. A signal gives 128 and its number, as in a shell. */
export async function outcomeOf(command: Command, options: CommandOptions = {}): Promise<Outcome> {
  const child = Bun.spawn(words(command), {
    stdin: typeof options.stdin === "string" ? Buffer.from(options.stdin) : (options.stdin ?? "ignore"),
    stdout: "pipe",
    stderr: "pipe",
    env: options.env ?? process.env,
    timeout: options.timeout ?? 60_000,
    killSignal: "SIGKILL",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { command: typeof command === "string" ? command : command.join(" "), exitCode, stdout, stderr };
}

/** Standard output of a command. @throws CommandFailed when the exit code is not 0. */
export async function outputOf(command: Command, options: CommandOptions = {}): Promise<string> {
  const outcome = await outcomeOf(command, options);
  if (outcome.exitCode !== 0) throw new CommandFailed(outcome);
  return outcome.stdout;
}
