/** Tables for people: columns that fit the terminal, and colours only there (rule O3). */
import type { Terminal } from "./input.ts";

/** Colours by what they mean. */
export type Colour = "good" | "bad" | "warning" | "faint";

/** SGR parameters of ECMA-48. */
const PARAMETERS: Readonly<Record<Colour, number>> = { good: 32, bad: 31, warning: 33, faint: 2 };

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** The fewest characters to which it may be shortened; not at all if it is left out. */
  readonly least?: number;
  /** Numbers are aligned to the right. */
  readonly align?: "right";
}

/** A cell: its text, or with its colour. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

/** Characters between two columns. */
const GAP = "  ";

/** What stands in the place of characters that were left out. */
const ELLIPSIS = "…";

/**
 * The lines of a table with its titles. On a terminal that is too narrow, the columns that allow it are shortened in their
 * middle, the longest first. Control characters, which names of other programs may contain, are shown as escapes.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  terminal: Pick<Terminal, "columns" | "colour">,
): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, at) =>
    lines.reduce((most, line) => Math.max(most, lengthOf(textOf(line[at]))), 0),
  );
  shrink(columns, widths, terminal.columns);
  return lines
    .map((line, index) => {
      const cells = columns.map(({ align }, at) => {
        const cell = line[at] ?? "";
        const width = widths[at] ?? 0;
        const text = shortened(textOf(cell), width);
        const space = " ".repeat(width - lengthOf(text));
        const shown = typeof cell === "string" || index === 0 ? text : coloured(text, cell.colour, terminal);
        return align === "right" ? space + shown : shown + space;
      });
      return `${cells.join(GAP).trimEnd()}\n`;
    })
    .join("");
}

/** A text in a colour, where colours may be used. */
export const coloured = (text: string, colour: Colour, { colour: may }: Pick<Terminal, "colour">): string =>
  may && text !== "" ? `\x1b[${PARAMETERS[colour]}m${text}\x1b[0m` : text;

/** A text with control characters and line ends as escapes, so that it stays on its line and moves no cursor. */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const number = character.codePointAt(0) ?? 0;
    return number < 0x100 ? `\\x${number.toString(16).padStart(2, "0")}` : `\\u{${number.toString(16)}}`;
  });

const textOf = (cell: Cell = ""): string => printable(typeof cell === "string" ? cell : cell.text);

const lengthOf = (text: string): number => [...text].length;

function shrink(columns: readonly Column[], widths: number[], most: number): void {
  const leastOf = (at: number) => Math.max(columns[at]?.least ?? Number.POSITIVE_INFINITY, 3);
  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - most;
  while (excess > 0) {
    let longest = -1;
    for (const [at, width] of widths.entries())
      if (width > leastOf(at) && width > (widths[longest] ?? 0)) longest = at;
    if (longest < 0) return;
    widths[longest] = (widths[longest] ?? 0) - 1;
    excess--;
  }
}

function shortened(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  const kept = width - ELLIPSIS.length;
  const head = Math.ceil(kept / 2);
  return (
    characters.slice(0, head).join("") + ELLIPSIS + characters.slice(characters.length - kept + head).join("")
  );
}
