/**
 * A line on the terminal that says what a command is looking at, once it has taken a second (rule O20). Commands call `step`
 * in whatever may take long: there is one command in a process, so the line is global, and a reader of leases need not be
 * handed it. Any output erases it first.
 */
import { now } from "#engine";
import { whileWaiting } from "../sys/child.ts";
import { hasOption, type Input, type Program } from "./input.ts";
import { printable } from "./table.ts";
import { columnsOf } from "./terminal.ts";

/** Milliseconds from the start of the process until the line is shown, and between two changes of it. */
const AFTER = 1000;
const EVERY = 100;

/** Goes to the start of the line, and erases what is behind the cursor (ECMA-48). */
const START = "\r";
const ERASE = "\x1b[K";

export class ProgressLine {
  private readonly write: (text: string) => void;
  private readonly columns: number;
  private readonly clock: () => number;
  private text = "";
  private next = AFTER;
  private isShown = false;

  /** @param clock milliseconds since the start of the process */
  constructor(write: (text: string) => void, columns: number, clock = now) {
    this.write = write;
    this.columns = columns;
    this.clock = clock;
  }

  /** Says what is looked at, as in "reading the leases of net1", and how many of them are done. Cheap: call it for each. */
  step(what: string, done?: number, total?: number): void {
    const count = done === undefined ? "" : total === undefined ? `: ${done}` : `: ${done} of ${total}`;
    this.text = what + count;
    this.refresh();
  }

  /** Shows the line if it is time. */
  refresh(): void {
    const time = this.clock();
    if (time < this.next) return;
    this.next = time + EVERY;
    const text = printable(`${this.text}, ${Math.floor(time / 1000)} s`);
    // A line that fills the last column would go on in the next one.
    const characters = [...text].slice(0, this.columns - 1);
    this.write(`${START}${characters.join("")}${ERASE}`);
    this.isShown = true;
  }

  /** Leaves the line as it was before. */
  erase(): void {
    if (this.isShown) this.write(`${START}${ERASE}`);
    this.isShown = false;
  }
}

let line: ProgressLine | undefined;

/** Says what the command is looking at, and how many of how many it has seen. */
export function step(what: string, done?: number, total?: number): void {
  line?.step(what, done, total);
}

/** Erases the line, and shows none from here on. */
export function endProgress(): void {
  line?.erase();
  line = undefined;
}

/**
 * Shows progress from here on, if a person sits there: standard output and error are a terminal, and neither --json nor
 * --quiet is given. Returns the program with streams that erase the line. @param columns those of a descriptor; undefined if
 * it is not a terminal
 */
export function withProgress(program: Program, input: Pick<Input, "options">, columns = columnsOf): Program {
  const [width, isTerminal] = [columns(2), columns(1) !== undefined];
  const isQuiet = ["json", "quiet", "metrics"].some((name) => hasOption(input, name));
  if (width === undefined || !isTerminal || isQuiet || program.environment.TERM === "dumb") return program;
  const { stdout, stderr } = program;
  const shown = new ProgressLine(stderr, width);
  line = shown;
  whileWaiting(() => shown.refresh());
  const erasing = (write: (text: string) => void) => (text: string) => {
    shown.erase();
    write(text);
  };
  return { ...program, stdout: erasing(stdout), stderr: erasing(stderr) };
}
