/** Takes the contenders of a case in turns: A B A B, step by step, so that what disturbs the machine disturbs all. */
import type { Contender, Memory, Side, Step } from "./case.ts";
import { median } from "./statistics.ts";

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

/** Measures `rounds` rounds, then traces `censuses` more. @throws Error when a program fails. */
export async function measure(
  contenders: readonly Contender[],
  rounds: number,
  censuses: number,
): Promise<Series[]> {
  const players = contenders.map((contender) => new Player(contender));
  const steps = Math.max(...players.map((player) => player.steps));
  for (let round = -WARM_UP; round < rounds; round++) {
    // Whoever goes first goes last in the next round: nobody always follows the same one.
    const order = round % 2 === 0 ? players : [...players].reverse();
    for (let step = 0; step < steps; step++) {
      for (const player of order) await player.take(step, round >= 0);
    }
  }
  for (const player of players) await player.count(censuses);
  return players.flatMap((player) => player.series);
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
    const programs = step.programs(this.#memory);
    const batch = await this.#contender.host.time(programs);
    this.#keep(
      step,
      batch.calls.map((call) => call.stdout),
    );
    if (!measured || step.untimed === true) return;
    const series = this.#seriesOf(step, programs.length);
    series.wall.push(batch.wall / 1e6);
    series.cpu.push(batch.calls.reduce((sum, call) => sum + call.cpu, batch.orphansCpu) / 1e6);
    series.maxrss.push(Math.max(...batch.calls.map((call) => call.maxrss)));
  }

  /** Traces each step; those with several programs at once are only done. */
  async count(rounds: number): Promise<void> {
    const counts = new Map<string, Counts[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [index, step] of this.#contender.steps.entries()) {
        const [program, ...others] = step.programs(this.#memory);
        if (program === undefined || others.length > 0) {
          await this.take(index, false);
          continue;
        }
        const census = await this.#contender.host.census(program);
        this.#keep(step, [census.stdout]);
        counts.set(step.name, [...(counts.get(step.name) ?? []), census]);
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

  #keep(step: Step, outputs: readonly string[]): void {
    step.keep?.(outputs, this.#memory);
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
