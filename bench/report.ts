/** What was measured, as rows: one for each step of each variant of a case, with all sides in it. */
import type { AimResult } from "./aims.ts";
import { baseOf, type Side } from "./case.ts";
import type { Counts, Series } from "./measure.ts";
import { type Bounded, median, quantile, ratioOfMedians } from "./statistics.ts";

export interface MeasuredCase {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  readonly series: readonly Series[];
}

/** One side of a row. Milliseconds and KiB. */
export interface Figures {
  readonly wall: { readonly median: number; readonly p99: number };
  readonly cpu: number;
  /** Peak resident memory of the largest process. */
  readonly maxrss: number;
  readonly census?: Counts;
}

export interface Row {
  readonly case: string;
  readonly title: string;
  readonly variant: string;
  readonly size?: number;
  readonly step: string;
  readonly parallel: number;
  readonly sides: Readonly<Partial<Record<Side, Figures>>>;
  /** Of each side to its base: of ours and of the floor to the reference, of copies to what they are copies of. */
  readonly wallRatio: Readonly<Partial<Record<Side, Bounded>>>;
  readonly cpuRatio: Readonly<Partial<Record<Side, Bounded>>>;
}

/** The rows of a case, in the order in which they were measured. */
export function rowsOf(measured: MeasuredCase): Row[] {
  const key = (series: Series) => `${series.variant}\n${series.step}`;
  const groups = Map.groupBy(measured.series, key);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { variant, step, parallel, size } = first;
    const row = {
      ...{ case: measured.name, title: measured.title, variant, step, parallel },
      ...(size === undefined ? {} : { size }),
    };
    const sides = Object.fromEntries(group.map((series) => [series.side, figuresOf(series)]));
    const ratios = (of: "wall" | "cpu") =>
      Object.fromEntries(
        group.flatMap((series) => {
          const base = group.find(({ side }) => side === baseOf(series.side));
          return base === undefined || base === series
            ? []
            : [[series.side, ratioOfMedians(series[of], base[of])]];
        }),
      );
    return { ...row, sides, wallRatio: ratios("wall"), cpuRatio: ratios("cpu") };
  });
}

const figuresOf = (series: Series): Figures => ({
  wall: { median: median(series.wall), p99: quantile(series.wall, 0.99) },
  cpu: median(series.cpu),
  maxrss: median(series.maxrss),
  ...(series.census === undefined ? {} : { census: series.census }),
});

const COLUMNS = ["ms p50", "p99", "CPU ms", "peak MiB", "private", "syscalls", "programs"];

/** A case for the terminal. */
export function formatCase(measured: MeasuredCase): string[] {
  const rows = rowsOf(measured);
  const nameOf = ({ step, variant }: Row) => [step, variant].filter((part) => part !== "").join(", ");
  const width = Math.max(...rows.map((row) => nameOf(row).length)) + 2;
  const lines = [
    `== ${measured.name}: ${measured.title}, ${measured.rounds} rounds`,
    `${"".padEnd(width + 16)}${COLUMNS.map((name) => name.padStart(10)).join("")}  to its base, wall      CPU`,
  ];
  for (const row of rows) {
    for (const [side, figures] of Object.entries(row.sides) as [Side, Figures][]) {
      const { wall, cpu, census, maxrss } = figures;
      const cells = [
        wall.median.toFixed(2),
        wall.p99.toFixed(2),
        cpu.toFixed(2),
        ((census?.peak ?? maxrss) / 1024).toFixed(1),
        census === undefined ? "" : (census.own / 1024).toFixed(1),
        census?.syscalls.toFixed(0) ?? "",
        census?.programs.toFixed(0) ?? "",
      ];
      const ratios = [row.wallRatio[side], row.cpuRatio[side]].map((ratio) => shown(ratio).padEnd(22));
      lines.push(
        `${nameOf(row).padEnd(width)}${side.padEnd(16)}${cells.map((cell) => cell.padStart(10)).join("")}  ${ratios.join(" ")}`.trimEnd(),
      );
    }
  }
  return lines;
}

/** Aims for the terminal; those that this run says nothing about are left out. */
export function formatAims(aims: readonly AimResult[]): string[] {
  const lines = aims.flatMap(({ name, unit, ...sides }) =>
    (["compact", "bun"] as const).flatMap((side) => {
      const { bounds, measured, verdict = "" } = sides[side];
      if (measured === undefined) return [];
      const aim = bounds === undefined ? "" : ` aim ${bounds.aim}${unit}`;
      const stretch = bounds?.stretch === undefined ? "" : `, stretch ${bounds.stretch}${unit}`;
      const figure = `${shown(measured)}${unit}`.padEnd(24);
      return `${verdict.padEnd(12)} ${side.padEnd(8)} ${name.padEnd(44)}${figure}${aim}${stretch}`.trimEnd();
    }),
  );
  return lines.length === 0 ? [] : ["== aims", ...lines];
}

/** A figure with its bounds; nothing of none. */
export const shown = (figure: Bounded | undefined): string =>
  figure === undefined
    ? ""
    : `${figure.value.toFixed(2)} (${figure.low.toFixed(2)}–${figure.high.toFixed(2)})`;
