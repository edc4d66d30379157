/**
 * Sentences for people (rule O3): on a terminal, a long one goes on in the next line, between two words. In a pipe it stays on
 * its line, since scripts read line by line.
 */
import { Help } from "commander";
import type { Program } from "./input.ts";
import { columnsOf } from "./terminal.ts";

/** Most columns of a text: longer lines are hard to read. */
const WIDEST = 100;

const help = new Help();

/**
 * A text in lines of at most `columns` characters, and never more than 100; one line if `columns` is infinite, as for a pipe.
 * All lines but the first begin with `indent` blanks, and the first stands behind as many characters or has as much room left.
 */
export function wrapped(text: string, columns: number, indent = 2): string {
  if (columns === Number.POSITIVE_INFINITY) return text;
  const lines = help.boxWrap(text, Math.min(columns, WIDEST) - indent);
  return lines.replaceAll("\n", `\n${" ".repeat(indent)}`);
}

/** The program with a standard error that wraps each whole line, if it is a terminal. @param columns those of the terminal */
export function withWrapping(program: Program, columns = columnsOf(2)): Program {
  if (columns === undefined) return program;
  const stderr = (text: string): void =>
    program.stderr(text.endsWith("\n") ? `${wrapped(text.slice(0, -1), columns)}\n` : text);
  return { ...program, stderr };
}
