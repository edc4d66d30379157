/** A terminal that keeps what a command writes, and calls of commands without a process. */
import { COMMANDS } from "../../src/operator/commands.ts";
import { explainFailure } from "../../src/operator/failure.ts";
import type { Program, Terminal } from "../../src/operator/input.ts";
import { parse } from "../../src/operator/parser.ts";
import { withWrapping } from "../../src/operator/sentences.ts";

/** What a command wrote, and its exit code. */
export interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal, and what was written to it. `answer` is that of the person who sits there, if one does. */
export function recordingTerminal(
  options: Partial<Pick<Terminal, "columns" | "colour" | "isTerminal" | "environment">> & {
    readonly answer?: boolean;
  } = {},
) {
  const said = { stdout: "", stderr: "" };
  const recorder: Program = {
    version: "1.2.3",
    plugins: ["bridge", "host-local"],
    environment: {},
    stdout: (text) => {
      said.stdout += text;
    },
    stderr: (text) => {
      said.stderr += text;
    },
  };
  const program = withWrapping(recorder, options.columns ?? Number.POSITIVE_INFINITY);
  const terminal: Terminal = {
    columns: Number.POSITIVE_INFINITY,
    isTerminal: false,
    colour: false,
    environment: {},
    ...options,
    stdout: program.stdout,
    stderr: program.stderr,
    ask(question) {
      if (options.answer === undefined) return undefined;
      program.stderr(`${question} [y/N] `);
      return options.answer;
    },
  };
  return { said, program, terminal };
}

/** Runs a command of the table in this process. */
export async function command(
  words: readonly string[],
  options: Parameters<typeof recordingTerminal>[0] = {},
): Promise<Said> {
  const { said, program, terminal } = recordingTerminal(options);
  const call = await parse(words, program);
  if (typeof call === "number") return { exitCode: call, ...said };
  const { row, ...given } = call;
  try {
    const { run } = await row.load();
    const exitCode = await run({ ...given, program, terminal, commands: COMMANDS });
    return { exitCode, ...said };
  } catch (error) {
    const { exit, message } = explainFailure(error);
    program.stderr(`bridgehead ${row.name}: ${message}\n`);
    return { exitCode: exit, ...said };
  }
}

/** The names of all commands. */
export const COMMAND_NAMES = COMMANDS.map(({ name }) => name);
