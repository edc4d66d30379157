/** What Bridgehead wants to reach, and whether a run shows it. Speed is no test: a missed aim fails nothing. */
import type { Side } from "./case.ts";
import { PLAIN } from "./cases/standing.ts";
import type { Series } from "./measure.ts";
import type { MeasuredCase } from "./report.ts";
import { median, type Ratio, ratioOfMedians } from "./statistics.ts";

export type Verdict = "stretch met" | "met" | "missed" | "not measured";

/** An aim beside what was measured. */
export interface AimResult {
  readonly name: string;
  readonly unit: string;
  readonly aim: number;
  readonly stretch: number;
  /** Whether more is better; else less. */
  readonly moreIsBetter: boolean;
  readonly value?: number;
  /** Bounds of 95 % confidence, for ratios. */
  readonly low?: number;
  readonly high?: number;
  readonly verdict: Verdict;
}

type Measured = Pick<Ratio, "value"> & Partial<Ratio>;

interface Aim extends Pick<AimResult, "name" | "unit" | "aim" | "stretch"> {
  readonly moreIsBetter?: boolean;
  readonly measured: (run: Run) => Measured;
}

/** A series of a run by its name. @throws NotMeasured when the run has none. */
class Run {
  readonly #cases: readonly MeasuredCase[];

  constructor(cases: readonly MeasuredCase[]) {
    this.#cases = cases;
  }

  series(name: string, side: Side, step: string, size?: number): Series {
    const found = this.#cases
      .find((measured) => measured.name === name)
      ?.series.find(
        (series) =>
          series.side === side && series.step === step && (size === undefined || series.size === size),
      );
    if (found === undefined) throw new NotMeasured();
    return found;
  }

  /** What a step takes beside 2,000 attachments, to what it takes beside 10. */
  growth(step: string): Ratio {
    return ratioOfMedians(
      this.series("standing", "ours", step, 2000).wall,
      this.series("standing", "ours", step, 10).wall,
    );
  }

  ratio(name: string, step: string, base: Side = "reference", of: "wall" | "cpu" = "wall"): Ratio {
    return ratioOfMedians(this.series(name, "ours", step)[of], this.series(name, base, step)[of]);
  }
}

class NotMeasured extends Error {}

const AIMS: readonly Aim[] = [
  {
    ...{ name: "ADD IPv4 + ipMasq, default backend", unit: "", aim: 0.45, stretch: 0.3 },
    measured: (run) => run.ratio("masq", "ADD"),
  },
  {
    ...{ name: "ADD IPv4 + ipMasq, nftables on both sides", unit: "", aim: 0.45, stretch: 0.3 },
    measured: (run) => run.ratio("masq-nftables", "ADD"),
  },
  {
    ...{ name: "ADD IPv4, no masquerade", unit: "", aim: 0.8, stretch: 0.6 },
    measured: (run) => run.ratio("ipv4", "ADD"),
  },
  {
    ...{ name: "ADD dual-stack + ipMasq + promisc", unit: "", aim: 0.4, stretch: 0.25 },
    measured: (run) => run.ratio("dual-stack", "ADD"),
  },
  {
    ...{ name: "DEL IPv4 + ipMasq", unit: "", aim: 0.5, stretch: 0.35 },
    measured: (run) => run.ratio("masq", "DEL"),
  },
  {
    ...{ name: "DEL dual-stack + ipMasq", unit: "", aim: 0.35, stretch: 0.25 },
    measured: (run) => run.ratio("dual-stack", "DEL"),
  },
  {
    ...{ name: "16 parallel ADDs with ipMasq, throughput", unit: "×", aim: 2.5, stretch: 4 },
    moreIsBetter: true,
    measured: (run) =>
      ratioOfMedians(
        run.series("parallel", "reference", "ADD", 16).wall,
        run.series("parallel", "ours", "ADD", 16).wall,
      ),
  },
  {
    ...{ name: "CPU time of the tree, ADD with ipMasq", unit: "", aim: 0.7, stretch: 0.5 },
    measured: (run) => run.ratio("masq", "ADD", "reference", "cpu"),
  },
  {
    ...{ name: "ADD, ours at 2,000 attachments / ours at 10", unit: "", aim: 1.15, stretch: 1.05 },
    measured: (run) => run.growth("ADD"),
  },
  {
    ...{ name: "the same without masquerade", unit: "", aim: 1.15, stretch: 1.05 },
    measured: (run) => run.growth(`ADD${PLAIN}`),
  },
  {
    ...{ name: "VERSION / compiled hello world", unit: "", aim: 1.3, stretch: 1.1 },
    measured: (run) => run.ratio("version", "VERSION", "hello"),
  },
  {
    ...{ name: "peak memory of the tree, ADD with ipMasq", unit: " MiB", aim: 40, stretch: 32 },
    measured: (run) => {
      const { census } = run.series("masq", "ours", "ADD");
      if (census === undefined) throw new NotMeasured();
      return { value: census.peak / 1024 };
    },
  },
  {
    ...{ name: "ADD IPv4, no masquerade: ours minus the C floor", unit: " ms", aim: 9, stretch: 6 },
    measured: (run) => ({
      value: median(run.series("ipv4", "ours", "ADD").wall) - median(run.series("ipv4", "floor", "ADD").wall),
    }),
  },
];

/** All aims beside what the cases show. */
export function judgeAims(cases: readonly MeasuredCase[]): AimResult[] {
  const run = new Run(cases);
  return AIMS.map(({ measured, moreIsBetter = false, ...aim }) => {
    try {
      const found = measured(run);
      return { ...aim, moreIsBetter, ...found, verdict: verdictOn({ ...aim, moreIsBetter }, found.value) };
    } catch (error) {
      if (!(error instanceof NotMeasured)) throw error;
      return { ...aim, moreIsBetter, verdict: "not measured" };
    }
  });
}

/** What a value is worth. */
export function verdictOn(
  { aim, stretch, moreIsBetter }: Pick<AimResult, "aim" | "stretch" | "moreIsBetter">,
  value: number,
): Verdict {
  const reaches = (bound: number) => (moreIsBetter ? value >= bound : value <= bound);
  if (reaches(stretch)) return "stretch met";
  return reaches(aim) ? "met" : "missed";
}
