/** Runs commands and keeps all that they said. */
import { hearOut } from "./hearing.ts";
import { COMMAND_LIMIT, timedOut } from "./limits.ts";

/** A command as a list of words, or as one line that /bin/sh reads. */
export type Command = string | readonly string[];

export interface CommandOptions {
  readonly stdin?: string | Uint8Array | Blob;
  /** Instead of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds until the command is killed; COMMAND_LIMIT if left out. */
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

/**
 * Runs a command to its end, whatever its exit code. A signal gives 128 and its number, as in a shell. One that takes
 * too long is killed, and its stderr says so.
 */
export async function outcomeOf(command: Command, options: CommandOptions = {}): Promise<Outcome> {
  const child = Bun.spawn(words(command), {
    stdin: typeof options.stdin === "string" ? Buffer.from(options.stdin) : (options.stdin ?? "ignore"),
    stdout: "pipe",
    stderr: "pipe",
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const said = { stdout: "", stderr: "" };
  const hear = (text: string, stream: keyof typeof said) => {
    said[stream] += text;
  };
  const limit = await hearOut(child, hear, { total: options.timeout ?? COMMAND_LIMIT });
  if (limit !== undefined) said.stderr += `${timedOut(limit)}\n`;
  const exitCode = await child.exited;
  return { command: typeof command === "string" ? command : command.join(" "), exitCode, ...said };
}

/** Standard output of a command. @throws CommandFailed when the exit code is not 0. */
export async function outputOf(command: Command, options: CommandOptions = {}): Promise<string> {
  const outcome = await outcomeOf(command, options);
  if (outcome.exitCode !== 0) throw new CommandFailed(outcome);
  return outcome.stdout;
}
