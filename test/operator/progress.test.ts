/** O20: the line that says what a command is looking at. Its clock is the test's. */
import { afterEach, describe, expect, test } from "bun:test";
import { endProgress, ProgressLine, step, withProgress } from "../../src/operator/progress.ts";
import { recordingTerminal } from "./recording.ts";

describe("O20: the line", () => {
  function lineOf(columns = 80) {
    const shown = { time: 0, text: "" };
    const write = (text: string) => {
      shown.text += text;
    };
    return { shown, line: new ProgressLine(write, columns, () => shown.time) };
  }

  test("comes after a second, changes ten times a second, and goes", () => {
    const { shown, line } = lineOf();
    line.step("reading", 1, 10);
    shown.time = 999;
    line.step("reading", 2, 10);
    line.erase();
    expect(shown.text).toBe("");
    shown.time = 1000;
    line.step("reading", 3, 10);
    expect(shown.text).toBe("\rreading: 3 of 10, 1 s\x1b[K");
    shown.time = 1099;
    line.step("reading", 4, 10);
    shown.time = 2500;
    line.step("freeing", 7);
    shown.time = 3000;
    line.refresh();
    line.erase();
    line.erase();
    expect(shown.text.split("\r").slice(2)).toEqual([
      "freeing: 7, 2 s\x1b[K",
      "freeing: 7, 3 s\x1b[K",
      "\x1b[K",
    ]);
  });

  test("stays on its line, whatever a name holds, and fits", () => {
    const { shown, line } = lineOf(20);
    shown.time = 1000;
    line.step("reading a\nb\x1b[2J of a long name");
    expect(shown.text).toBe("\rreading a\\x0ab\\x1b[\x1b[K");
  });
});

describe("O20: it is shown", () => {
  afterEach(endProgress);

  /** What `withProgress` leaves of the streams; they stay the same if no line is shown. */
  function isShown(
    options: Readonly<Record<string, unknown>>,
    terminals: readonly number[] = [1, 2],
    environment: Readonly<Record<string, string>> = { TERM: "xterm" },
  ): boolean {
    const program = { ...recordingTerminal().program, environment };
    const columns = (fd: number) => (terminals.includes(fd) ? 80 : undefined);
    return withProgress(program, { options }, columns).stdout !== program.stdout;
  }

  test("only where a person sees it", () => {
    expect(isShown({})).toBe(true);
    expect(isShown({}, [])).toBe(false);
    expect(isShown({}, [1])).toBe(false);
    expect(isShown({}, [2])).toBe(false);
    for (const name of ["json", "quiet", "metrics"]) expect(isShown({ [name]: true })).toBe(false);
    expect(isShown({}, [1, 2], { TERM: "dumb" })).toBe(false);
  });

  test("and no step without one does anything", () => {
    endProgress();
    step("reading");
  });
});
