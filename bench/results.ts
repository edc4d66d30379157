/** Writes what a run gave: the plots, the tables of docs/performance.md and of README, and everything in dist/bench. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { type AimResult, judgeAims } from "./aims.ts";
import type { Side } from "./case.ts";
import { growthPlot, type Line, spreadPlot } from "./plots.ts";
import { type MeasuredCase, rowsOf } from "./report.ts";
import { aimsTable, controlsTable, figuresTable, speedTable } from "./tables.ts";

const PROJECT = join(import.meta.dir, "..");
const PAGE = "docs/performance.md";
const README = "README.md";

/** What a figure depends on besides the programs. */
export interface Conditions {
  readonly date: string;
  readonly kind: "full" | "quick";
  readonly processors: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly bun: string;
  readonly bridgehead: string;
  readonly reference: string;
  /** Of one minute, before the first case: what else the machine had to do. */
  readonly load: number;
  /** Microseconds of a CPUID instruction. */
  readonly cpuid: number;
}

/** Conditions as they are now. */
export function conditionsNow(
  kind: Conditions["kind"],
  versions: Pick<Conditions, "bridgehead" | "reference" | "cpuid">,
): Conditions {
  return {
    ...{ date: new Date().toISOString().slice(0, 10), kind },
    ...{ processors: cpus().length, model: cpus()[0]?.model ?? "unknown" },
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: /^\d+\.\d+/.exec(release())?.[0] ?? release(),
    ...{ bun: Bun.version, ...versions },
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
  };
}

const sentenceOf = (conditions: Conditions): string =>
  `A ${conditions.kind} run of ${conditions.date}: ${conditions.processors} processors (${conditions.model}), ` +
  `${conditions.memoryGiB} GiB, Linux ${conditions.kernel}.\nBridgehead ${conditions.bridgehead} on Bun ` +
  `${conditions.bun}, reference ${conditions.reference}. Load before the run: ${conditions.load}. A CPUID takes ${conditions.cpuid} µs.`;

/** Writes all files of a run. All rows and samples are in dist/bench, for a release to publish. Returns the names. */
export function writeResults(conditions: Conditions, cases: readonly MeasuredCase[]): string[] {
  const aims = judgeAims(cases);
  const tables = (which: "main" | "all") =>
    [sentenceOf(conditions), aimsTable(aims), figuresTable(cases, which), controlsTable(cases)].join("\n\n");
  const files = {
    "dist/bench/results.json": jsonOf(documentOf(conditions, aims, cases)),
    "dist/bench/results.md": `# Benchmark\n\n${tables("all")}\n`,
    "bench/results/latency-add.svg": spread("Latency of ADD", "ADD", cases),
    "bench/results/latency-del.svg": spread("Latency of DEL", "DEL", cases),
    "bench/results/attachments.svg": growth(
      "Cost beside standing attachments",
      "standing attachments",
      "standing",
      cases,
    ),
    "bench/results/leases.svg": growth("Cost of host-local beside leases", "leases", "leases", cases),
    "bench/results/parallel.svg": throughput(cases),
    [PAGE]: withTables(PAGE, readFileSync(join(PROJECT, PAGE), "utf8"), tables("main")),
    [README]: withTables(README, readFileSync(join(PROJECT, README), "utf8"), speedTable(cases)),
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(PROJECT, name)), { recursive: true });
    writeFileSync(join(PROJECT, name), text);
  }
  return Object.keys(files);
}

/** JSON for people: a series of numbers stays on one line. */
function jsonOf(document: object): string {
  const oneLine = (_: string, value: unknown): unknown =>
    Array.isArray(value) && value.every((item) => typeof item === "number")
      ? `[${value.map((number) => Number(number.toFixed(3)))}]`
      : value;
  return `${JSON.stringify(document, oneLine, 1).replaceAll(/"(\[[-\d.,]*\])"/g, "$1")}\n`;
}

const documentOf = (
  conditions: Conditions,
  aims: readonly AimResult[],
  cases: readonly MeasuredCase[],
): object => ({
  units: "milliseconds, KiB; ratios are those of a side to its base, with bounds of 95 % confidence",
  conditions,
  aims,
  cases: cases.map((measured) => ({
    ...{ name: measured.name, title: measured.title, rounds: measured.rounds },
    rows: rowsOf(measured).map(({ case: _, title: __, ...row }) => ({
      ...row,
      samples: Object.fromEntries(
        measured.series
          .filter(({ variant, step }) => variant === row.variant && step === row.step)
          .map(({ side, wall, cpu }) => [side, { wall, cpu }]),
      ),
    })),
  })),
});

const BEGIN = "<!-- bench: begin -->";
const END = "<!-- bench: end -->";

/** A page with `text` between its marks; `name` is for the error. @throws Error when the page has none. */
export function withTables(name: string, page: string, text: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${name} lacks the marks ${BEGIN} and ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`;
}

const SHAPES = ["layer2", "ipv4", "masq", "masq-iptables", "masq-nftables", "macspoofchk", "dual-stack"];
const SIDES: readonly Side[] = ["compact", "bun", "reference"];

const spread = (title: string, step: string, cases: readonly MeasuredCase[]): string =>
  spreadPlot(
    title,
    SHAPES.flatMap((name) => {
      const measured = cases.find((found) => found.name === name);
      if (measured === undefined) return [];
      const spreads = measured.series
        .filter((series) => series.step === step && SIDES.includes(series.side))
        .map(({ side, wall }) => ({ side, values: wall }));
      return { name: measured.title, spreads };
    }),
  );

/** Lines over the sizes of a case; `turn` makes what is drawn of a time. */
function linesOf(
  name: string,
  cases: readonly MeasuredCase[],
  turn: (wall: number, size: number) => number,
): Line[] {
  const series = cases.find((found) => found.name === name)?.series ?? [];
  const lines = ["ADD", "DEL"].flatMap((step) =>
    [...SIDES, "floor" as const].map((side) => ({
      ...{ side, step },
      points: series.flatMap(({ size, wall, ...one }) =>
        one.side !== side || one.step !== step || size === undefined
          ? []
          : [{ size, values: wall.map((time) => turn(time, size)) }],
      ),
    })),
  );
  return lines.filter(({ points }) => points.length > 0);
}

const growth = (title: string, xName: string, name: string, cases: readonly MeasuredCase[]): string =>
  growthPlot(
    title,
    xName,
    "milliseconds",
    linesOf(name, cases, (wall) => wall),
  );

const throughput = (cases: readonly MeasuredCase[]): string =>
  growthPlot(
    ...(["Throughput of calls at once, IPv4 + ipMasq", "calls at once", "calls per second"] as const),
    linesOf("parallel", cases, (wall, size) => (size * 1000) / wall),
  );
