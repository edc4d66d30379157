/** What is said of a series of measurements. */

/** The value below which the share `q` (0 to 1) of `values` lies, between two neighbours in proportion. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new Error("no quantile of no values");
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * q;
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (place - below);
}

/** The value in the middle. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** A figure, and between which bounds it lies with 95 % confidence. */
export interface Bounded {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;

/**
 * The ratio of the median of `values` to that of `base`. The n-th of both were measured in the same round, one after
 * the other; so the bootstrap draws rounds, and what disturbed a round disturbs both sides. The draws are seeded: the
 * same figures give the same bounds.
 */
export function ratioOfMedians(values: readonly number[], base: readonly number[]): Bounded {
  if (values.length !== base.length) throw new Error(`${values.length} rounds beside ${base.length}`);
  const random = mulberry32(0x5eed);
  const [ofValues, ofBase] = [drawnMedian(values), drawnMedian(base)];
  const draws = Array.from({ length: RESAMPLES }, () => {
    const times = new Uint32Array(values.length);
    for (let draw = 0; draw < values.length; draw++) {
      const round = Math.floor(random() * values.length);
      times[round] = (times[round] ?? 0) + 1;
    }
    return ofValues(times) / ofBase(times);
  });
  return {
    value: median(values) / median(base),
    low: quantile(draws, 0.025),
    high: quantile(draws, 0.975),
  };
}

/** The median of values that were drawn so many times each. They are sorted only once. */
function drawnMedian(values: readonly number[]): (times: Uint32Array) => number {
  const order = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const middle = (values.length - 1) / 2;
  return (times) => {
    let seen = 0;
    let below = Number.NaN;
    for (const index of order) {
      const value = values[index] ?? Number.NaN;
      seen += times[index] ?? 0;
      if (Number.isNaN(below) && seen > Math.floor(middle)) below = value;
      if (seen > Math.ceil(middle)) return below + (value - below) / 2;
    }
    return Number.NaN;
  };
}

/** The median of `values`, bounded in the same way. */
export const medianOf = (values: readonly number[]): Bounded =>
  ratioOfMedians(
    values,
    values.map(() => 1),
  );

/** Pseudo-random numbers from 0 to 1 (Tommy Ettinger's mulberry32, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
