/** `bridgehead completion SHELL`: the words of the table of commands, for bash, zsh and fish (rule O19). */
import { type ExitCode, exitCode } from "./exit-codes.ts";
import type { CommandRow, Input, OptionRow } from "./input.ts";
import { optionsOf } from "./options.ts";

/** Prints the script of a shell. */
export async function run({ arguments: [shell], terminal, commands = [] }: Input): Promise<ExitCode> {
  const scripts: Readonly<Record<string, (commands: readonly CommandRow[]) => string>> = { bash, zsh, fish };
  terminal.stdout(scripts[shell ?? ""]?.(commands) ?? "");
  return exitCode.fine;
}

/** "--alive" of "--alive SOURCE" and of "-a, --alive SOURCE". */
const longOf = ({ flags }: OptionRow): string => /--[a-z-]+/.exec(flags)?.[0] ?? "";

const shortOf = ({ flags }: OptionRow): string | undefined => /^-([a-z])\b/.exec(flags)?.[1];

const takesValue = ({ flags }: OptionRow): boolean => / [A-Z]+$/.test(flags);

/** The values that the first argument of a command may have. */
const choicesOf = ({ arguments: [first] }: CommandRow): readonly string[] => first?.choices ?? [];

/** A text in single quotes, for any of the shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly CommandRow[]): string {
  const cases = commands.map((row) => {
    const words = [...choicesOf(row), ...optionsOf(row).map(longOf)].join(" ");
    return `    ${row.name}) words="${words}" ;;\n`;
  });
  const values = commands
    .flatMap((row) => row.options)
    .flatMap((option) =>
      option.choices === undefined ? [] : `    ${longOf(option)}) words="${option.choices.join(" ")}" ;;\n`,
    );
  return `# bash completion of bridgehead
_bridgehead() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  case \${COMP_WORDS[1]} in
${cases.join("")}  esac
  case $previous in
${[...new Set(values)].join("")}    --*-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${[...commands.map(({ name }) => name), "help", "--version", "--help"].join(" ")}"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _bridgehead bridgehead
`;
}

function zsh(commands: readonly CommandRow[]): string {
  // Brackets and colons end the parts of an _arguments specification.
  const text = (words: string) => words.replaceAll(/[[\]:]/g, " ");
  const cases = commands.map((row) => {
    const options = optionsOf(row).map((option) => {
      const value = takesValue(option)
        ? `:value:${option.choices === undefined ? "_files" : `(${option.choices.join(" ")})`}`
        : "";
      return `      ${quoted(`${longOf(option)}[${text(option.description)}]${value}`)}`;
    });
    const choices = choicesOf(row);
    const argument =
      choices.length > 0 ? `      ${quoted(`1:word:(${choices.join(" ")})`)}` : "      '*:word:_files'";
    return `    ${row.name})\n      _arguments \\\n${[...options, argument].join(" \\\n")}\n      ;;\n`;
  });
  const summaries = commands.map(({ name, summary }) => `    ${quoted(`${name}:${text(summary)}`)}\n`);
  return `#compdef bridgehead
_bridgehead() {
  local -a commands
  commands=(
${summaries.join("")}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("")}  esac
}
_bridgehead "$@"
`;
}

function fish(commands: readonly CommandRow[]): string {
  const lines = commands.flatMap((row) => {
    const inside = `-n ${quoted(`__fish_seen_subcommand_from ${row.name}`)}`;
    return [
      `complete -c bridgehead -n __fish_use_subcommand -a ${row.name} -d ${quoted(row.summary)}`,
      ...(choicesOf(row).length > 0
        ? [`complete -c bridgehead ${inside} -a ${quoted(choicesOf(row).join(" "))}`]
        : []),
      ...optionsOf(row).map((option) => {
        const short = shortOf(option);
        const value = takesValue(option)
          ? ` -r${option.choices === undefined ? "" : ` -a ${quoted(option.choices.join(" "))}`}`
          : "";
        return `complete -c bridgehead ${inside} -l ${longOf(option).slice(2)}${short === undefined ? "" : ` -s ${short}`}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# fish completion of bridgehead\n${lines.join("\n")}\n`;
}
