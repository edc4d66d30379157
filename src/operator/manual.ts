/** `bridgehead manual`: the manual page, made of the table of commands (rule O19; roff as in man(7)). */
import { about } from "./about.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import type { CommandRow, Input, Program } from "./input.ts";
import { optionsOf } from "./options.ts";

/** Prints the page. */
export async function run({ terminal, program, commands = [] }: Input): Promise<ExitCode> {
  terminal.stdout(manualPage(program, commands));
  return exitCode.fine;
}

/** What the exit codes mean. */
const EXIT = [
  ["0", "All is well, or was done."],
  ["1", "Problems were found, or something could not be done. All of them are named."],
  ["2", "Wrong use."],
  ["3", "Not permitted; the message says what is missing."],
  ["4", "The answer is not known, since a source could not be read. Nothing was changed."],
] as const;

/** The page as roff. */
function manualPage({ version, plugins }: Program, commands: readonly CommandRow[]): string {
  return [
    `.TH BRIDGEHEAD 8 "" ${quoted(`bridgehead ${version}`)} "System administration"`,
    ".SH NAME",
    text("bridgehead - looks after the networks of containers"),
    ".SH SYNOPSIS",
    ".B bridgehead",
    text("COMMAND [ARGUMENTS]"),
    ".SH DESCRIPTION",
    text(about(version, plugins).split("\n").slice(1).join(" ").trim()),
    ".SH COMMANDS",
    ...commands.flatMap(sectionOf),
    ".SH EXIT STATUS",
    ...EXIT.flatMap(([code, meaning]) => [".TP", `.B ${code}`, text(meaning)]),
    "",
  ].join("\n");
}

function sectionOf(row: CommandRow): string[] {
  const { name, description, arguments: words, examples } = row;
  const paragraphs = description.split(/\n\n+/).map((each) => text(each.replaceAll("\n", " ")));
  return [
    `.SS ${quoted(["bridgehead", name, "[OPTIONS]", ...words.map((each) => each.name)].join(" "))}`,
    paragraphs.join("\n.PP\n"),
    ...words.flatMap((each) => [".TP", `.B ${text(each.name)}`, text(each.description)]),
    ...optionsOf(row).flatMap(({ flags, description: meaning, choices }) => [
      ".TP",
      `.B ${text(flags)}`,
      text(choices === undefined ? meaning : `${meaning}: ${choices.join(", ")}`),
    ]),
    ...examples.flatMap(({ command, meaning }) => [
      ".PP",
      text(`${meaning}:`),
      ".PP",
      ".nf",
      text(command),
      ".fi",
    ]),
  ];
}

/** A line of text: a backslash, a hyphen and a leading dot mean something to roff. */
const text = (words: string): string =>
  words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/, "\\&");

const quoted = (words: string): string => `"${text(words).replaceAll('"', '""')}"`;
