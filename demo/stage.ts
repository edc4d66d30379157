/** Prints what the viewer sees: headings, commands, their output, and the checks of that output. */
import { stripVTControlCharacters } from "node:util";
import { type Outcome, outcomeOf } from "../test/support/command.ts";

/** A check failed. */
export class Deviation extends Error {
  override readonly name = "Deviation";
  readonly claim: string;
  readonly expected: unknown;
  readonly found: unknown;

  constructor(claim: string, expected: unknown, found: unknown) {
    super(claim);
    this.claim = claim;
    this.expected = expected;
    this.found = found;
  }
}

const colours = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const;

const inColour = process.stdout.isTTY && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";

const paint = (colour: keyof typeof colours, text: string) =>
  inColour ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;

/** Longer command lines are broken at a space, with the "\" that a shell needs. */
const WIDTH = 100;

export class Stage {
  /** Folder in which commands run. */
  folder = "/";
  verified = 0;
  private readonly start = performance.now();
  private steps = 0;

  say(text: string): void {
    console.log(text);
  }

  /** Changes the folder in which commands run. */
  enter(folder: string, shownAs: string): void {
    this.folder = folder;
    console.log(`   ${paint("cyan", `$ cd ${shownAs}`)}`);
  }

  /** Prints a heading, and an optional text about it. */
  step(title: string, text?: string): void {
    console.log(`\n${paint("bold", `${++this.steps}. ${title}`)}`);
    if (text !== undefined) for (const line of text.split("\n")) console.log(`   ${line}`);
  }

  /** Shows a command line, runs it with /bin/sh, and shows what it prints. Its exit code must be 0. */
  type(line: string): Promise<Outcome & { milliseconds: number }> {
    return this.run(line, 0);
  }

  /** As `type`, but the exit code must be 1. */
  typeFailing(line: string): Promise<Outcome & { milliseconds: number }> {
    return this.run(line, 1);
  }

  private async run(line: string, exitCode: number): Promise<Outcome & { milliseconds: number }> {
    console.log(`   ${paint("cyan", `$ ${folded(line)}`)}`);
    const start = performance.now();
    const outcome = await outcomeOf(line, { cwd: this.folder });
    const milliseconds = performance.now() - start;
    const printed = stripVTControlCharacters(outcome.stdout + outcome.stderr).trimEnd();
    if (printed !== "") console.log(printed.replace(/^(?=.)/gm, "     "));
    if (outcome.exitCode === exitCode) return { ...outcome, milliseconds };
    throw new Deviation(`exit code of the command`, exitCode, outcome.exitCode);
  }

  /** Ticks off a claim. @throws Deviation when `found` differs from `expected` */
  verify(claim: string, found: unknown, expected: unknown): void {
    if (!Bun.deepEquals(found, expected)) throw new Deviation(claim, expected, found);
    this.verified++;
    console.log(`   ${paint("green", "✓")} ${claim}`);
  }

  /** Prints a failed check, with the expected and the found value. */
  failed(error: unknown): void {
    const claim = error instanceof Error ? error.message : String(error);
    console.log(`   ${paint("red", `✗ ${claim}`)}`);
    if (error instanceof Deviation) {
      console.log(`     expected: ${shown(error.expected)}`);
      console.log(`     found:    ${shown(error.found)}`);
    }
  }

  /** Prints the last line. */
  close(good: boolean): void {
    const seconds = ((performance.now() - this.start) / 1000).toFixed(1);
    const summary = `${this.verified} checks passed in ${seconds} s`;
    console.log(
      good ? `\n${paint("green", `✓ ${summary}`)}` : `\n${paint("red", `✗ stopped after ${summary}`)}`,
    );
  }
}

const shown = (value: unknown): string =>
  typeof value === "string" ? value : Bun.inspect(value).replaceAll("\n", "\n               ");

function folded(line: string): string {
  const lines = [""];
  for (const word of line.split(" ")) {
    const last = lines[lines.length - 1] ?? "";
    if (last === "" || last.length + word.length < WIDTH)
      lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(" \\\n         ");
}
