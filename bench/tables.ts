/** The tables of a run in Markdown. */
import type { AimResult } from "./aims.ts";
import type { Side } from "./case.ts";
import { type Figures, type MeasuredCase, type Row, rowsOf } from "./report.ts";
import type { Ratio } from "./statistics.ts";

/** Figures to the right, names to the left. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

/** Each aim beside what was measured. */
export function aimsTable(aims: readonly AimResult[]): string {
  const rows = aims.map(({ name, unit, aim, stretch, moreIsBetter, value, low, high, verdict }) => [
    name,
    `${moreIsBetter ? "≥" : "≤"} ${aim}${unit}`,
    `${stretch}${unit}`,
    value === undefined ? "" : `${value.toFixed(2)}${unit}`,
    low === undefined || high === undefined ? "" : `${low.toFixed(2)}–${high.toFixed(2)}`,
    verdict,
  ]);
  return table(["figure", "aim", "stretch", "measured", "95 %", "verdict"], rows);
}

/**
 * Rows of cases: ours and the other side in one cell each, as in "11 / 32". "main" leaves out the rows of a case that
 * grows, which the plots show, and other sides than the reference.
 */
export const figuresTable = (cases: readonly MeasuredCase[], which: "main" | "all"): string =>
  table(
    [...["case", "ms p50", "p99", "ratio", "CPU ms", "ratio", "peak MiB", "system calls", "programs"]],
    cases
      .flatMap(rowsOf)
      .filter((row) => which === "all" || row.variant === "")
      .flatMap((row) => linesOf(row, which === "all" ? undefined : "reference")),
  );

/** A line for each side beside ours, or for the only one. */
function linesOf(row: Row, only?: Side): string[][] {
  const { ours } = row.sides;
  if (ours === undefined) return [];
  return (Object.keys(row.wallRatio) as Side[]).flatMap((side) => {
    const other = row.sides[side];
    if (other === undefined || (only !== undefined && side !== only)) return [];
    const pair = (of: (figures: Figures) => number | undefined, digits: number) => {
      const [own, its] = [of(ours), of(other)];
      return own === undefined || its === undefined ? "" : `${own.toFixed(digits)} / ${its.toFixed(digits)}`;
    };
    const title = row.title.startsWith(row.step) ? row.title : `${row.step}, ${row.title}`;
    const against = side === "reference" ? "" : `, beside ${side}`;
    return [
      [
        `${title}${row.variant === "" ? "" : `: ${row.variant}`}${against}`,
        pair(({ wall }) => wall.median, 1),
        pair(({ wall }) => wall.p99, 1),
        shown(row.wallRatio[side]),
        pair(({ cpu }) => cpu, 1),
        shown(row.cpuRatio[side]),
        pair(({ census, maxrss }) => (census?.peak ?? maxrss) / 1024, 1),
        pair(({ census }) => census?.syscalls, 0),
        pair(({ census }) => census?.programs, 0),
      ],
    ];
  });
}

const shown = (ratio: Ratio | undefined): string =>
  ratio === undefined ? "" : `${ratio.value.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
