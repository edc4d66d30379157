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
  const lines = linesOf(columns, rows);
  const widths = columns.map((_, at) =>
    lines.reduce((most, line) => Math.max(most, line[at]?.length ?? 0), 0),
  );
  shrink(columns, widths, terminal.columns);
  const above: { shown?: Shown; text: string }[] = columns.map(() => ({ text: "" }));
  const texts = lines.map((line) => {
    for (const [at, last] of above.entries()) {
      const shown = line[at];
      if (shown === undefined || shown === last.shown) continue;
      last.shown = shown;
      last.text = filled(shown, widths[at] ?? 0, columns[at], terminal);
    }
    return above
      .map(({ text }) => text)
      .join(GAP)
      .trimEnd();
  });
  return `${texts.join("\n")}\n`;
}

/** A cell with its colour, as wide as its column. */
function filled(
  shown: Shown,
  width: number,
  column: Column | undefined,
  terminal: Pick<Terminal, "colour">,
): string {
  const short = shown.length <= width ? shown : shownOf(shortened(shown.text, width));
  const space = " ".repeat(width - short.length);
  const cell = shown.colour === undefined ? short.text : coloured(short.text, shown.colour, terminal);
  return column?.align === "right" ? space + cell : cell + space;
}

/**
 * The titles and all cells as they are shown. Of a list of ten thousand, most cells are those of the row above: they are not
 * looked at again, which takes half of the time.
 */
function linesOf(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Shown[][] {
  let above = columns.map(({ title }) => shownOf(title));
  const lines = [above];
  for (const row of rows) {
    const line = above.map((last, at) => {
      const cell = row[at] ?? "";
      return isShownBy(cell, last) ? last : shownOf(cell);
    });
    lines.push(line);
    above = line;
  }
  return lines;
}

const isShownBy = (cell: Cell, { given, colour }: Shown): boolean =>
  typeof cell === "string"
    ? cell === given && colour === undefined
    : cell.text === given && cell.colour === colour;

/** A text in a colour, where colours may be used. */
export const coloured = (text: string, colour: Colour, { colour: may }: Pick<Terminal, "colour">): string =>
  may && text !== "" ? `\x1b[${PARAMETERS[colour]}m${text}\x1b[0m` : text;

/** A text with control characters and line ends as escapes, so that it stays on its line and moves no cursor. */
export const printable = (text: string): string =>
  PLAIN.test(text)
    ? text
    : text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
        const number = character.codePointAt(0) ?? 0;
        return number < 0x100 ? `\\x${number.toString(16).padStart(2, "0")}` : `\\u{${number.toString(16)}}`;
      });

/** A cell as it is shown, and the number of its characters. */
interface Shown {
  /** The cell's own text. */
  readonly given: string;
  readonly text: string;
  readonly length: number;
  readonly colour?: Colour;
}

function shownOf(cell: Cell): Shown {
  const given = typeof cell === "string" ? cell : cell.text;
  const isPlain = PLAIN.test(given);
  const text = isPlain ? given : printable(given);
  const length = isPlain ? text.length : [...text].length;
  return typeof cell === "string" ? { given, text, length } : { given, text, length, colour: cell.colour };
}

/** Texts without anything that needs a closer look: nearly all, and there may be a hundred thousand. */
const PLAIN = /^[ -~]*$/;

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
  const characters = PLAIN.test(text) ? text : [...text];
  const kept = width - ELLIPSIS.length;
  const head = Math.ceil(kept / 2);
  const parts = [characters.slice(0, head), characters.slice(characters.length - kept + head)];
  return parts.map((part) => (typeof part === "string" ? part : part.join(""))).join(ELLIPSIS);
}
