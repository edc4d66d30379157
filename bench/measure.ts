/** Takes the contenders of a case in turns: A B A B, step by step, so that what disturbs the machine disturbs all. */
import { baseOf, type Contender, type Memory, type Part, type Side, type Step } from "./case.ts";
import type { Batch } from "./host.ts";
import { median, ratioOfMedians } from "./statistics.ts";

/** All that was measured of one step of one contender; the n-th of each list are of the same round. */
export interface Series {
  readonly side: Side;
  readonly variant: string;
  readonly size?: number;
  readonly step: string;
  /** Programs started at once. */
  readonly parallel: number;
  /** Milliseconds from the first start to the last end. */
  readonly wall: number[];
  /** Milliseconds of processor time of all process trees. */
  readonly cpu: number[];
  /** KiB; of the largest process. */
  readonly maxrss: number[];
  /** Medians of the traced runs; the largest of memory. */
  census?: Counts;
}

/** Figures that do not depend on time. */
export interface Counts {
  readonly syscalls: number;
  readonly programs: number;
  readonly threads: number;
  /** KiB; of the whole tree. */
  readonly peak: number;
  /** KiB; of the whole tree, without pages of files, which other processes share. */
  readonly own: number;
}

/** Rounds before the measured ones: files come into memory, the bridge is made. */
const WARM_UP = 3;

/** How much is measured. */
export interface Extent {
  /** At most so many rounds. */
  readonly rounds: number;
  /** So many rounds are traced after that. */
  readonly censuses: number;
  /** When to stop before: at this time of performance.now(), or when all bounds are narrow. Else all rounds are taken. */
  readonly until?: number;
}

/** Even a case without time left has so many rounds. */
const LEAST = 5;
/** After so many rounds, and again after each ten more, the bounds are looked at. */
const FIRST_LOOK = 20;
/** Bounds are narrow when they are no farther apart than this part of the ratio. */
const NARROW = 0.06;

/** @throws Error when a program fails. */
export async function measure(
  contenders: readonly Contender[],
  { rounds, censuses, until }: Extent,
): Promise<Series[]> {
  const players = contenders.map((contender) => new Player(contender));
  const steps = Math.max(...players.map((player) => player.steps));
  const isEnough = (round: number): boolean =>
    until !== undefined &&
    ((round >= LEAST && performance.now() > until) ||
      (round >= FIRST_LOOK && round % 10 === 0 && areNarrow(players.flatMap(({ series }) => series))));
  for (let round = -WARM_UP; round < rounds && !isEnough(round); round++) {
    // Whoever goes first goes last in the next round: nobody always follows the same one.
    const order = round % 2 === 0 ? players : [...players].reverse();
    for (let step = 0; step < steps; step++) {
      for (const player of order) await player.take(step, round >= 0);
    }
  }
  for (const player of players) await player.count(censuses);
  return players.flatMap((player) => player.series);
}

const partsOf = (step: Step): readonly Part[] => [step, ...(step.more ?? [])];
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** Whether the ratio of each side to its base is known well enough. */
function areNarrow(all: readonly Series[]): boolean {
  return all.every(({ side, variant, step, wall }) => {
    const base = all.find(
      (other) => other.side === baseOf(side) && other.variant === variant && other.step === step,
    );
    if (base === undefined || base.side === side) return true;
    const { value, low, high } = ratioOfMedians(wall, base.wall);
    return high - low <= NARROW * value;
  });
}

/** A contender and its figures. */
class Player {
  readonly #contender: Contender;
  readonly #memory: Memory = { result: "" };
  readonly #series = new Map<string, Series>();

  constructor(contender: Contender) {
    this.#contender = contender;
  }

  get steps(): number {
    return this.#contender.steps.length;
  }

  get series(): Series[] {
    return [...this.#series.values()];
  }

  async take(index: number, measured: boolean): Promise<void> {
    const step = this.#contender.steps[index];
    if (step === undefined) return;
    const batches: Batch[] = [];
    for (const part of partsOf(step)) {
      const programs = part.programs(this.#memory);
      // The parts of a step follow one another at once, as a runtime calls the plugins of a chain.
      const batch = await this.#contender.host.time(programs, batches.length === 0 ? undefined : 0);
      part.keep?.(
        batch.calls.map((call) => call.stdout),
        this.#memory,
      );
      batches.push(batch);
    }
    if (!measured || step.untimed === true) return;
    const series = this.#seriesOf(step, Math.max(...batches.map(({ calls }) => calls.length)));
    const calls = batches.flatMap((batch) => batch.calls);
    series.wall.push(sum(batches.map(({ wall }) => wall)) / 1e6);
    series.cpu.push(
      (sum(calls.map(({ cpu }) => cpu)) + sum(batches.map(({ orphansCpu }) => orphansCpu))) / 1e6,
    );
    series.maxrss.push(Math.max(...calls.map(({ maxrss }) => maxrss)));
  }

  /** Traces each step; those with several programs at once are only done. A copy would count as its original. */
  async count(rounds: number): Promise<void> {
    if (this.#contender.side.endsWith("copy")) return;
    const counts = new Map<string, Counts[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [index, step] of this.#contender.steps.entries()) {
        const taken = await this.#countsOf(step);
        if (taken === undefined) await this.take(index, false);
        else counts.set(step.name, [...(counts.get(step.name) ?? []), taken]);
      }
    }
    for (const [name, taken] of counts) {
      const series = this.#series.get(name);
      const of = (key: keyof Counts) => median(taken.map((counted) => counted[key]));
      const most = (key: keyof Counts) => Math.max(...taken.map((counted) => counted[key]));
      if (series !== undefined) {
        series.census = {
          syscalls: of("syscalls"),
          programs: of("programs"),
          threads: of("threads"),
          peak: most("peak"),
          own: most("own"),
        };
      }
    }
  }

  /** The counts of all parts of a step; undefined, with nothing done, if one starts several programs at once. */
  async #countsOf(step: Step): Promise<Counts | undefined> {
    let all: Counts = { syscalls: 0, programs: 0, threads: 0, peak: 0, own: 0 };
    for (const part of partsOf(step)) {
      const [program, ...others] = part.programs(this.#memory);
      if (program === undefined || others.length > 0) return undefined;
      const census = await this.#contender.host.census(program);
      part.keep?.([census.stdout], this.#memory);
      all = {
        syscalls: all.syscalls + census.syscalls,
        programs: all.programs + census.programs,
        threads: all.threads + census.threads,
        peak: Math.max(all.peak, census.peak),
        own: Math.max(all.own, census.own),
      };
    }
    return all;
  }

  #seriesOf(step: Step, parallel: number): Series {
    const known = this.#series.get(step.name);
    if (known !== undefined) return known;
    const { side, variant, size } = this.#contender;
    const fresh: Series = {
      ...{ side, variant, step: step.name, parallel, wall: [], cpu: [], maxrss: [] },
      ...(size === undefined ? {} : { size }),
    };
    this.#series.set(step.name, fresh);
    return fresh;
  }
}
