/** `bridgehead validate [FILE…|DIR]`: judges network configurations without touching anything (O10). */

import { messageOf } from "../sys/errno.ts";
import { documentText } from "./document.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { LEVEL_WORDS } from "./finding.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { DEFAULT_CONFIG_DIRECTORY } from "./networks.ts";
import { PLUGIN_FOLDER } from "./plugin-folder.ts";
import { wrapped } from "./sentences.ts";
import { printable } from "./table.ts";
import type { Source } from "./validate/network-file.ts";
import type { ConfigurationFinding } from "./validate/report.ts";
import { sourcesAt, sourcesIfAny, validate } from "./validate/validate.ts";

/** Exit code 1 if there is an error; with --strict also if there is a warning. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const folder = textOption(input, "configDir") ?? DEFAULT_CONFIG_DIRECTORY;
  const paths = input.arguments.length > 0 ? input.arguments : [folder];
  const files: Source[] = [];
  let isUnreadable = false;
  for (const path of paths) {
    try {
      for (const source of sourcesAt(path)) files.push(source);
    } catch (error) {
      terminal.stderr(`bridgehead validate: cannot read ${JSON.stringify(path)}: ${messageOf(error)}\n`);
      isUnreadable = true;
    }
  }
  const own = new Set(files.map(({ path }) => path));
  const offline = hasOption(input, "offline");
  const findings = await validate({
    files,
    others: offline ? [] : sourcesIfAny(folder).filter(({ path }) => !own.has(path)),
    pluginPath: offline ? undefined : terminal.environment.CNI_PATH || PLUGIN_FOLDER,
  });
  const counts = { fail: 0, warn: 0, note: 0 };
  for (const { level } of findings) counts[level]++;
  const isBad = counts.fail > 0 || (hasOption(input, "strict") && counts.warn > 0);
  if (hasOption(input, "json")) {
    terminal.stdout(documentText({ files: files.map(({ path }) => path), findings }));
  } else if (hasOption(input, "quiet")) {
    const bad = new Set(findings.filter(({ level }) => level !== "note").map(({ file }) => file));
    for (const file of bad) terminal.stdout(`${printable(file)}\n`);
  } else {
    const lines = [...findings.map((each) => lineOf(each, terminal)), summaryOf(files.length, counts)];
    terminal.stdout(`${lines.join("\n")}\n`);
  }
  if (isUnreadable) return exitCode.cannotTell;
  return isBad ? exitCode.problems : exitCode.fine;
}

function lineOf(
  { file, line, column, level, code, message, remedy }: ConfigurationFinding,
  { columns }: Terminal,
): string {
  const text = `${file}:${line}:${column}: ${LEVEL_WORDS[level]} ${code}: ${message}; ${remedy}`;
  return wrapped(printable(text), columns);
}

function summaryOf(
  files: number,
  { fail, warn, note }: Readonly<Record<"fail" | "warn" | "note", number>>,
): string {
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const all = [count(fail, "error"), count(warn, "warning"), ...(note > 0 ? [count(note, "note")] : [])];
  return `${count(files, "file")}: ${all.join(", ")}`;
}
