/** What a command of the operator gets, and what a row of the table of commands says (commands.ts). */
import type { ExitCode } from "./exit-codes.ts";

/** This program, and its streams. */
export interface Program {
  readonly version: string;
  /** Names of the built-in plugins. */
  readonly plugins: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Where a command's output goes. */
export interface Terminal {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Characters of a line, if standard output is a terminal; no limit otherwise. */
  readonly columns: number;
  readonly isTerminal: boolean;
  /** Whether colours may be used (rule O3). */
  readonly colour: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The answer to a question that is answered with yes or no; undefined if no one sits at a terminal (rule O2). */
  ask(question: string): boolean | undefined;
}

/** The call of a command. */
export interface Input {
  readonly arguments: readonly string[];
  /** By name in camel case, as in `configDir`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly terminal: Terminal;
  readonly program: Program;
  /** The table of commands, for those that describe it. */
  readonly commands?: readonly CommandRow[];
}

/** What the file of a command exports. */
export interface CommandFile {
  /** @throws CommandError, and errors of the system */
  run(input: Input): Promise<ExitCode>;
}

/** An option, with its flags as in "-q, --quiet" or "--network NAME". */
export interface OptionRow {
  readonly flags: string;
  readonly description: string;
  /** The values that it may have. */
  readonly choices?: readonly string[];
  /** Whether it may be given several times; listOption() gives all values. */
  readonly repeats?: true;
  /** Options that cannot be given with it, by name in camel case. */
  readonly conflicts?: readonly string[];
}

/** An argument. Its name in brackets, as in "[NETWORK]", may be left out. */
export interface ArgumentRow {
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** A row of the table of commands: parser, help, completion and manual are made from it (one screen, 80 columns). */
export interface CommandRow {
  readonly name: string;
  /** A few words for the list of commands. */
  readonly summary: string;
  /** Paragraphs, separated by empty lines. */
  readonly description: string;
  readonly arguments: readonly ArgumentRow[];
  readonly options: readonly OptionRow[];
  /** Whether it changes the host, and so has --yes and --dry-run (rule O2). */
  readonly changes: boolean;
  readonly examples: readonly { readonly command: string; readonly meaning: string }[];
  readonly load: () => Promise<CommandFile>;
}

/** The text of an option; undefined if it was not given. */
export function textOption({ options }: Pick<Input, "options">, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** The texts of an option that may be given several times. */
export function listOption({ options }: Pick<Input, "options">, name: string): readonly string[] {
  const values = options[name];
  return Array.isArray(values) ? values.map(String) : [];
}

/** Whether an option without a value was given. */
export const hasOption = ({ options }: Pick<Input, "options">, name: string): boolean =>
  options[name] === true;
