/** What Bridgehead wants to reach, and whether a run shows it. Speed is no test: a missed aim fails nothing. */
import type { Ours, Side } from "./case.ts";
import { PLAIN } from "./cases/standing.ts";
import type { Counts, Series } from "./measure.ts";
import type { MeasuredCase } from "./report.ts";
import { type Bounded, medianOf, ratioOfMedians } from "./statistics.ts";

export type Verdict = "stretch met" | "met" | "missed" | "not measured";

/** What a figure shall be at most; or at least, where more is better. */
export interface Bounds {
  readonly aim: number;
  /** More than was asked for. The Bun file has none. */
  readonly stretch?: number;
}

/** What was measured of one of our files, beside its aim if it has one. */
export interface Judged {
  readonly bounds?: Bounds;
  readonly measured?: Bounded;
  readonly verdict?: Verdict;
}

/** A row of the table of aims. */
export interface AimResult {
  readonly name: string;
  readonly unit: string;
  /** Whether more is better; else less. */
  readonly moreIsBetter: boolean;
  readonly compact: Judged;
  readonly bun: Judged;
}

interface Aim {
  readonly name: string;
  readonly unit?: string;
  readonly moreIsBetter?: boolean;
  readonly compact: Bounds;
  readonly bun?: number;
  readonly measured: (run: Run, side: Ours) => Bounded;
}

/** Series of a run by their names. */
class Run {
  private readonly cases: readonly MeasuredCase[];

  constructor(cases: readonly MeasuredCase[]) {
    this.cases = cases;
  }

  /** @throws NotMeasured when the run has none. */
  series(name: string, side: Side, step: string, size?: number): Series {
    const found = this.cases
      .find((measured) => measured.name === name)
      ?.series.find(
        (series) =>
          series.side === side && series.step === step && (size === undefined || series.size === size),
      );
    if (found === undefined) throw new NotMeasured();
    return found;
  }
}

class NotMeasured extends Error {}

/** The time of ours to that of the reference. */
const ratio =
  (name: string, step: string, size?: number) =>
  (run: Run, side: Ours): Bounded =>
    ratioOfMedians(run.series(name, side, step, size).wall, run.series(name, "reference", step, size).wall);

/** What a step of ours takes at one size, to what it takes at another: beside so many others, or with so many ports. */
const growth =
  (name: string, step: string, size: number, from = 10) =>
  (run: Run, side: Ours): Bounded =>
    ratioOfMedians(run.series(name, side, step, size).wall, run.series(name, side, step, from).wall);

/** A count of the traced runs. */
const counted =
  (name: string, step: string, of: (census: Counts) => number) =>
  (run: Run, side: Ours): Bounded => {
    const { census } = run.series(name, side, step);
    if (census === undefined) throw new NotMeasured();
    const value = of(census);
    return { value, low: value, high: value };
  };

const AIMS: readonly Aim[] = [
  {
    ...{ name: "VERSION", compact: { aim: 0.5, stretch: 0.4 } },
    measured: ratio("version", "VERSION"),
  },
  {
    ...{ name: "ADD IPv4", compact: { aim: 0.5, stretch: 0.4 }, bun: 1.15 },
    measured: ratio("ipv4", "ADD"),
  },
  {
    ...{ name: "ADD IPv4 + ipMasq", compact: { aim: 0.25, stretch: 0.2 }, bun: 0.55 },
    measured: ratio("masq", "ADD"),
  },
  {
    ...{ name: "ADD dual-stack + ipMasq + promisc", compact: { aim: 0.2, stretch: 0.15 }, bun: 0.4 },
    measured: ratio("dual-stack", "ADD"),
  },
  {
    ...{ name: "DEL IPv4", compact: { aim: 0.84, stretch: 0.8 }, bun: 1 },
    measured: ratio("ipv4", "DEL"),
  },
  {
    ...{ name: "DEL IPv4 + ipMasq", compact: { aim: 0.25, stretch: 0.2 }, bun: 0.31 },
    measured: ratio("masq", "DEL"),
  },
  {
    ...{ name: "CHECK IPv4 + ipMasq", compact: { aim: 0.7, stretch: 0.55 }, bun: 1.4 },
    measured: ratio("check", "CHECK"),
  },
  {
    ...{ name: "STATUS IPv4 + ipMasq", compact: { aim: 0.9, stretch: 0.7 }, bun: 1.8 },
    measured: ratio("status", "STATUS"),
  },
  {
    ...{ name: "host-local ADD, 10 leases", compact: { aim: 0.8, stretch: 0.6 }, bun: 2.6 },
    measured: ratio("leases", "ADD", 10),
  },
  {
    ...{ name: "loopback ADD", compact: { aim: 0.6, stretch: 0.5 } },
    measured: ratio("loopback", "ADD"),
  },
  {
    ...{ name: "16 ADDs with ipMasq at once, throughput", unit: "×", moreIsBetter: true },
    ...{ compact: { aim: 4, stretch: 5 }, bun: 2.3 },
    measured: (run, side) =>
      ratioOfMedians(
        run.series("parallel", "reference", "ADD", 16).wall,
        run.series("parallel", side, "ADD", 16).wall,
      ),
  },
  {
    ...{
      name: "ADD IPv4 + ipMasq, 2,000 attachments to 10",
      compact: { aim: 1.15, stretch: 1.05 },
      bun: 1.15,
    },
    measured: growth("standing", "ADD", 2000),
  },
  {
    ...{ name: "ADD IPv4, 2,000 attachments to 10", compact: { aim: 1.15, stretch: 1.05 }, bun: 1.15 },
    measured: growth("standing", `ADD${PLAIN}`, 2000),
  },
  {
    ...{ name: "host-local ADD, 10,000 leases to 10", compact: { aim: 1.15, stretch: 1.05 }, bun: 1.15 },
    measured: growth("leases", "ADD", 10_000),
  },
  {
    ...{ name: "host-local ADD that scans 10,000 leases", unit: " ms", compact: { aim: 100, stretch: 60 } },
    measured: (run, side) => medianOf(run.series("leases-scan", side, "ADD").wall),
  },
  {
    ...{ name: "peak memory, ADD IPv4 + ipMasq", unit: " MiB", compact: { aim: 3, stretch: 2 }, bun: 36 },
    measured: counted("masq", "ADD", ({ peak }) => peak / 1024),
  },
  {
    ...{ name: "ADD IPv4, files not in memory", compact: { aim: 1, stretch: 0.5 } },
    measured: ratio("cold", "ADD"),
  },
  {
    ...{ name: "nerdctl's chain, ADD IPv4", compact: { aim: 0.5, stretch: 0.3 } },
    measured: ratio("chain", "ADD"),
  },
  {
    ...{ name: "nerdctl's chain, ADD IPv4, 1 port", compact: { aim: 0.4, stretch: 0.25 } },
    measured: ratio("chain-port", "ADD"),
  },
  {
    ...{ name: "nerdctl's chain, ADD dual-stack", compact: { aim: 0.5, stretch: 0.3 } },
    measured: ratio("chain-dual", "ADD"),
  },
  {
    ...{ name: "nerdctl's chain, ADD dual-stack, 1 port", compact: { aim: 0.4, stretch: 0.25 } },
    measured: ratio("chain-dual-port", "ADD"),
  },
  {
    ...{ name: "processes of nerdctl's chain, ADD IPv4, 1 port", compact: { aim: 4 }, bun: 4 },
    measured: counted("chain-port", "ADD", ({ programs }) => programs),
  },
  {
    ...{ name: "portmap ADD, 100 ports to 1", compact: { aim: 1.2, stretch: 1.1 }, bun: 1.2 },
    measured: growth("chain-ports", "ADD", 100, 1),
  },
  {
    ...{ name: "nerdctl's chain, ADD, 500 attachments to 10", compact: { aim: 1.2, stretch: 1.1 }, bun: 1.2 },
    measured: growth("chain-standing", "ADD", 500),
  },
  {
    ...{
      name: "nerdctl's chain, ADD, 2,000 attachments to 10",
      compact: { aim: 1.2, stretch: 1.1 },
      bun: 1.2,
    },
    measured: growth("chain-standing", "ADD", 2000),
  },
];

/** All aims beside what the cases show. */
export function judgeAims(cases: readonly MeasuredCase[]): AimResult[] {
  const run = new Run(cases);
  return AIMS.map(({ name, unit = "", moreIsBetter = false, compact, bun, measured }) => {
    const judge = (side: Ours, bounds: Bounds | undefined): Judged => {
      const given = bounds === undefined ? {} : { bounds };
      try {
        const found = measured(run, side);
        if (bounds === undefined) return { measured: found };
        return { ...given, measured: found, verdict: verdictOn(bounds, moreIsBetter, found) };
      } catch (error) {
        if (!(error instanceof NotMeasured)) throw error;
        return { ...given, verdict: "not measured" };
      }
    };
    return {
      ...{ name, unit, moreIsBetter },
      compact: judge("compact", compact),
      bun: judge("bun", bun === undefined ? undefined : { aim: bun }),
    };
  });
}

/** Whether a figure reaches its aim: the worse of its bounds of confidence decides. */
export function verdictOn(
  { aim, stretch }: Bounds,
  moreIsBetter: boolean,
  { low, high }: Pick<Bounded, "low" | "high">,
): Verdict {
  const reaches = (bound: number) => (moreIsBetter ? low >= bound : high <= bound);
  if (stretch !== undefined && reaches(stretch)) return "stretch met";
  return reaches(aim) ? "met" : "missed";
}
