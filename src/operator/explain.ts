/** `bridgehead explain CODE|KEY|"ERROR TEXT"`: cause, how to look at it, remedy, public issues (O16). */
import { CODES } from "./codes/codes.ts";
import { documentText } from "./document.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { allKeys, explanationsOf } from "./explain/find.ts";
import type { Explanation } from "./explain/row.ts";
import { LEVEL_WORDS } from "./finding.ts";
import { hasOption, type Input } from "./input.ts";
import { wrapped } from "./sentences.ts";
import { nearest } from "./validate/nearest.ts";

/** Explanations are texts of several lines in a pipe too. */
const WIDEST = 100;

/** Without an argument it lists the codes. Exit code 1 if nothing is known about the text. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const text = input.arguments.join(" ").trim();
  if (text === "") {
    if (hasOption(input, "json")) {
      terminal.stdout(documentText({ codes: CODES.map(([code, level, title]) => ({ code, level, title })) }));
      return exitCode.fine;
    }
    for (const [code, level, title] of CODES)
      terminal.stdout(`${code}  ${LEVEL_WORDS[level].padEnd(7)}  ${title}\n`);
    return exitCode.fine;
  }
  const explanations = explanationsOf(text);
  if (hasOption(input, "json")) terminal.stdout(documentText({ explanations }));
  else if (explanations.length > 0) {
    const columns = Math.min(terminal.columns, WIDEST);
    terminal.stdout(explanations.map((each) => textOf(each, columns)).join("\n"));
  } else {
    const words = [
      ...CODES.map(([code]) => code),
      ...allKeys().flatMap(({ names, last }) => [...names, last]),
    ];
    const near = text.includes(" ") ? undefined : nearest(text, words);
    const meant = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    terminal.stderr(
      `bridgehead explain: nothing is known about ${JSON.stringify(text)}${meant || "; give a code, a key, or the text of an error"}\n`,
    );
  }
  return explanations.length > 0 ? exitCode.fine : exitCode.problems;
}

function textOf({ name, title, cause, look, remedy, issues }: Explanation, columns: number): string {
  const parts = [
    ["what", cause],
    ["look", look],
    ["do", remedy],
    ["issues", issues.join(", ")],
  ] as const;
  const lines = [`${name}: ${title}`];
  for (const [word, text] of parts) {
    if (text === "") continue;
    lines.push(`  ${word.padEnd(8)}${wrapped(text, columns, 10)}`);
  }
  return `${lines.join("\n")}\n`;
}
