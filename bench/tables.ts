/** The tables of a run in Markdown. */
import type { AimResult, Bounds } from "./aims.ts";
import type { Side } from "./case.ts";
import { type Figures, type MeasuredCase, type Row, rowsOf, shown } from "./report.ts";

/** Figures to the right, names to the left. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

/** Each aim beside what was measured. */
export function aimsTable(aims: readonly AimResult[]): string {
  const rows = aims.map(({ name, unit, moreIsBetter, compact, bun }) => {
    const bound = (value: number | undefined) =>
      value === undefined ? "–" : `${moreIsBetter ? "≥" : "≤"} ${value}${unit}`;
    const of = (which: (bounds: Bounds) => number | undefined, bounds: Bounds | undefined) =>
      bound(bounds === undefined ? undefined : which(bounds));
    return [
      name,
      of(({ aim }) => aim, compact.bounds),
      of(({ stretch }) => stretch, compact.bounds),
      shown(compact.measured),
      compact.verdict ?? "",
      of(({ aim }) => aim, bun.bounds),
      shown(bun.measured),
      bun.verdict ?? "",
    ];
  });
  return table(["figure", "compact, at most", "stretch", "measured", "", "Bun, aim", "measured", ""], rows);
}

/** The sides in one cell, as in "5 / 11 / 32". */
const SHOWN: readonly Side[] = ["compact", "bun", "reference"];

/** Rows of cases, all sides in each cell. "main" leaves out the rows of a case that grows, which the plots show. */
export const figuresTable = (cases: readonly MeasuredCase[], which: "main" | "all"): string =>
  table(
    [
      ...["case", "ms p50", "p99", "ratio, compact", "Bun", "CPU ms", "ratio, compact", "Bun"],
      ...["peak MiB", "private", "system calls", "programs"],
    ],
    cases
      .flatMap(rowsOf)
      .filter((row) => which === "all" || row.variant === "")
      .map(cellsOf),
  );

function cellsOf(row: Row): string[] {
  const all = (of: (figures: Figures) => number | undefined, digits: number) => {
    const values = SHOWN.map((side) => {
      const figures = row.sides[side];
      return (figures === undefined ? undefined : of(figures))?.toFixed(digits) ?? "–";
    });
    return values.every((value) => value === "–") ? "" : values.join(" / ");
  };
  return [
    titleOf(row),
    all(({ wall }) => wall.median, 1),
    all(({ wall }) => wall.p99, 1),
    shown(row.wallRatio.compact),
    shown(row.wallRatio.bun),
    all(({ cpu }) => cpu, 1),
    shown(row.cpuRatio.compact),
    shown(row.cpuRatio.bun),
    all(({ census }) => (census === undefined ? undefined : census.peak / 1024), 1),
    all(({ census }) => (census === undefined ? undefined : census.own / 1024), 1),
    all(({ census }) => census?.syscalls, 0),
    all(({ census }) => census?.programs, 0),
  ];
}

const titleOf = ({ title, step, variant }: Row): string =>
  `${title.startsWith(step) ? title : `${step}, ${title}`}${variant === "" ? "" : `: ${variant}`}`;

/** The A/A controls: the ratio of each side's copy to it, which would be 1 if nothing else differed. */
export function controlsTable(cases: readonly MeasuredCase[]): string {
  const copies: readonly Side[] = ["compact-copy", "bun-copy", "reference-copy"];
  return table(
    ["copy to original", "compact", "Bun", "reference"],
    cases
      .flatMap(rowsOf)
      .filter(({ wallRatio }) => copies.some((copy) => wallRatio[copy] !== undefined))
      .map((row) => [titleOf(row), ...copies.map((copy) => shown(row.wallRatio[copy]))]),
  );
}

/** What README shows: case, step, and name there. */
const BRIEF = [
  ["version", "VERSION", "VERSION"],
  ["ipv4", "ADD", "ADD, IPv4"],
  ["masq", "ADD", "ADD, IPv4 with `ipMasq`"],
  ["dual-stack", "ADD", "ADD, IPv4 and IPv6 with `ipMasq`"],
  ["ipv4", "DEL", "DEL, IPv4"],
  ["masq", "DEL", "DEL, IPv4 with `ipMasq`"],
  ["check", "CHECK", "CHECK"],
  ["status", "STATUS", "STATUS"],
  ["chain", "ADD", "ADD, nerdctl's chain, IPv4"],
  ["chain-port", "ADD", "ADD, nerdctl's chain, IPv4, one published port"],
  ["chain-port", "DEL", "DEL, nerdctl's chain, IPv4, one published port"],
  ["chain-dual-port", "ADD", "ADD, nerdctl's chain, IPv4 and IPv6, one published port"],
  ["chain-containerd", "ADD", "ADD, containerd's chain, IPv4 and IPv6, one published port"],
] as const;

/** Medians of the calls that runtimes make most, and the memory of one. */
export function speedTable(cases: readonly MeasuredCase[]): string {
  const rows = cases.flatMap(rowsOf);
  const cells = (row: Row | undefined, of: (figures: Figures) => number | undefined) =>
    SHOWN.map((side) => {
      const figures = row?.sides[side];
      return (figures === undefined ? undefined : of(figures))?.toFixed(1) ?? "–";
    });
  const rowOf = (name: string, step: string) => rows.find((row) => row.case === name && row.step === step);
  return table(
    ["", "compact file", "Bun file", "Go plugins"],
    [
      ...BRIEF.map(([name, step, title]) => [
        `${title}, ms`,
        ...cells(rowOf(name, step), ({ wall }) => wall.median),
      ]),
      [
        "most memory in an ADD with `ipMasq`, MiB",
        ...cells(rowOf("masq", "ADD"), ({ census }) =>
          census === undefined ? undefined : census.peak / 1024,
        ),
      ],
    ],
  );
}
