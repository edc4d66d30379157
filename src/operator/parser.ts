/** Reads the words of a call by the table of commands, and prints help. */
import { Argument, Command, CommanderError, Option } from "commander";
import { about } from "./about.ts";
import { COMMANDS } from "./commands.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import type { CommandRow, Input, Program } from "./input.ts";
import { CHANGE_OPTIONS } from "./options.ts";

/** A command and what it was given. */
export interface Call extends Pick<Input, "arguments" | "options"> {
  readonly row: CommandRow;
}

/** Columns of help (one screen, 80 columns). */
const COLUMNS = 80;

/** The call; the exit code if help was printed, or if the words are wrong, which standard error says. */
export async function parse(words: readonly string[], program: Program): Promise<Call | ExitCode> {
  // Help comes in parts. It is written at once, so that a reader of its first line does not break it.
  let help = "";
  const { root, called } = makeParser(program, (text) => {
    help += text;
  });
  try {
    await root.parseAsync([...words], { from: "user" });
    return called() ?? exitCode.fine;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) {
      program.stdout(help);
      return exitCode.fine;
    }
    const command = COMMANDS.find(({ name }) => name === words[0]);
    const page = command === undefined ? "bridgehead --help" : `bridgehead ${command.name} --help`;
    program.stderr(`bridgehead: ${problemOf(error, words)}; see ${page}\n`);
    return exitCode.wrongUse;
  }
}

/** The problem in the words of this program. */
function problemOf({ code, message }: CommanderError, words: readonly string[]): string {
  const [, wrong = "", hint = ""] = /'([^']*)'\.?(?:\s*\((D[^)]*)\))?/.exec(message) ?? [];
  const meant = hint === "" ? "" : ` (${hint.charAt(0).toLowerCase()}${hint.slice(1)})`;
  if (code === "commander.unknownOption" || code === "commander.unknownCommand")
    return `unknown argument ${JSON.stringify(wrong)}${meant}`;
  // commander says only "(outputHelp)" where help of an unknown command is asked for.
  if (code === "commander.help") return `unknown argument ${JSON.stringify(words.at(-1))}`;
  if (code === "commander.excessArguments")
    return `unknown argument ${JSON.stringify(words.join(" "))}: there are too many`;
  if (code === "commander.conflictingOption") {
    const [one, two] = [...message.matchAll(/'(?:-\w, )?(--[\w-]+)[^']*'/g)].map(([, name]) => name);
    return `${one} and ${two} exclude each other; give one of them`;
  }
  if (code === "commander.missingArgument") return `the argument ${wrong} is missing`;
  if (code === "commander.optionMissingArgument")
    return `${nameIn(wrong)} needs a value, as in "${wrong.replaceAll(/[<>]/g, "").replace(/^-\w, /, "")}"`;
  const [, choices] = / Allowed choices are (.+)\.$/.exec(message) ?? [];
  const [, value = "", argument = wrong] =
    /^error: command-argument value '(.*)' is invalid for argument '([^']*)'/s.exec(message) ??
    /argument '(.*)' is invalid\./s.exec(message) ??
    [];
  if (code === "commander.invalidArgument" && choices !== undefined)
    return `${nameIn(argument)} cannot be ${JSON.stringify(value)}; give one of ${choices}`;
  return message.replace(/^error: /, "");
}

/** The long name of an option's flags, or the name of an argument. */
const nameIn = (flags: string): string => /--[\w-]+/.exec(flags)?.[0] ?? flags;

function makeParser(
  program: Program,
  writeOut: (text: string) => void,
): { root: Command; called: () => Call | undefined } {
  let call: Call | undefined;
  const root = new Command("bridgehead");
  const output = {
    writeOut,
    writeErr: () => {},
    getOutHelpWidth: () => COLUMNS,
    getErrHelpWidth: () => COLUMNS,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  };
  root
    .exitOverride()
    .configureOutput(output)
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .usage("COMMAND [ARGUMENTS]")
    .addHelpText("beforeAll", ({ command }) =>
      command === root ? about(program.version, program.plugins) : "",
    )
    .helpOption("-h, --help", "print help")
    .helpCommand("help [COMMAND]", "print help of a command");
  root.option("--version", "print the version");
  for (const row of COMMANDS) {
    const command = root.command(row.name).summary(row.summary).description(unwrapped(row.description));
    command.usage(
      [
        ...(row.options.length > 0 || row.changes ? ["[OPTIONS]"] : []),
        ...row.arguments.map(({ name }) => name),
      ].join(" "),
    );
    for (const { name, description, choices } of row.arguments) {
      const argument = new Argument(name, description);
      command.addArgument(choices === undefined ? argument : argument.choices(choices));
    }
    for (const { flags, description, choices, repeats, conflicts } of [
      ...row.options,
      ...(row.changes ? CHANGE_OPTIONS : []),
    ]) {
      const option = new Option(flags.replace(/ ([A-Z]+)$/, " <$1>"), description);
      if (repeats) option.argParser((value, before?: string[]) => [...(before ?? []), value]);
      option.conflicts((conflicts ?? []).filter((name) => name !== option.attributeName()));
      command.addOption(choices === undefined ? option : option.choices(choices));
    }
    if (row.examples.length > 0) {
      const lines = row.examples.map(({ command, meaning }) => `  ${command}\n      ${meaning}`);
      command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
    }
    command.action(() => {
      const [network] = command.args;
      // An argument [NETWORK] and the option --network say the same.
      if (row.arguments[0]?.name === "[NETWORK]" && network !== undefined && command.opts().network)
        command.error(
          `error: ${JSON.stringify(network)} and --network ${JSON.stringify(command.opts().network)} both name the network; give one of them`,
        );
      call = { row, arguments: command.args, options: command.opts() };
    });
  }
  return { root, called: () => call };
}

/** Paragraphs without their line ends, since help wraps them. */
const unwrapped = (text: string): string => text.replaceAll(/(?<!\n)\n(?!\n)/g, " ");
