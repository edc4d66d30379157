import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { median, quantile, ratioOfMedians } from "../../bench/statistics.ts";

const series = fc.array(fc.double({ min: 0.1, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 40 });

describe("quantile", () => {
  test("lies between two neighbours in proportion", () => {
    expect(quantile([40, 10, 30, 20], 0)).toBe(10);
    expect(quantile([40, 10, 30, 20], 1)).toBe(40);
    expect(quantile([40, 10, 30, 20], 0.5)).toBe(25);
    expect(quantile([40, 10, 30, 20], 0.1)).toBeCloseTo(13, 10);
    expect(median([3, 1, 2])).toBe(2);
  });

  test("sorts numbers as numbers, and a copy", () => {
    const values = [100, 9, 80];
    expect(median(values)).toBe(80);
    expect(values).toEqual([100, 9, 80]);
  });

  test("is within the values and grows with the share", () => {
    fc.assert(
      fc.property(series, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const at = quantile(values, q);
        expect(at).toBeGreaterThanOrEqual(Math.min(...values));
        expect(at).toBeLessThanOrEqual(Math.max(...values));
        expect(quantile(values, q / 2)).toBeLessThanOrEqual(at);
      }),
    );
  });

  test("of no values is an error", () => {
    expect(() => quantile([], 0.5)).toThrow("no quantile of no values");
  });
});

describe("ratioOfMedians", () => {
  test("is exact when nothing is spread", () => {
    expect(ratioOfMedians([3, 3, 3], [4, 4, 4])).toEqual({ value: 0.75, low: 0.75, high: 0.75 });
  });

  test("draws rounds: what disturbs both sides of a round leaves the bounds narrow", () => {
    const disturbance = [1, 9, 2, 8, 3, 7, 4, 6, 5];
    const base = disturbance.map((load) => 10 * load);
    const { low, high } = ratioOfMedians(
      base.map((value) => value / 2),
      base,
    );
    expect([low, high]).toEqual([0.5, 0.5]);
    const apart = ratioOfMedians([...base].reverse().sort(), base);
    expect(apart.high - apart.low).toBeGreaterThan(0.2);
  });

  test("has the value within its bounds, which widen with the spread, and is the same each time", () => {
    const calm = ratioOfMedians([9.9, 10, 10.1, 10, 9.95], [20, 20.1, 19.9, 20, 20]);
    const wild = ratioOfMedians([5, 10, 22, 9, 14], [20, 31, 11, 20, 26]);
    for (const { value, low, high } of [calm, wild]) {
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
    }
    expect(wild.high - wild.low).toBeGreaterThan(10 * (calm.high - calm.low));
    expect(ratioOfMedians([5, 10, 22, 9, 14], [20, 31, 11, 20, 26])).toEqual(wild);
  });

  test("covers the true ratio about as often as it says", () => {
    // Exponential noise on both sides, a true ratio of 0.5, 60 experiments of 30 rounds.
    let state = 12345;
    const noise = () => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return -Math.log((state + 1) / 2147483649);
    };
    let covered = 0;
    for (let experiment = 0; experiment < 60; experiment++) {
      const base = Array.from({ length: 30 }, () => 20 + 4 * noise());
      const values = Array.from({ length: 30 }, () => 10 + 2 * noise());
      const { low, high } = ratioOfMedians(values, base);
      if (low <= 0.5 && high >= 0.5) covered++;
    }
    expect(covered).toBeGreaterThan(51);
    expect(covered).toBeLessThan(60);
  });

  test("does not compare rounds that are no pairs", () => {
    expect(() => ratioOfMedians([1, 2], [1])).toThrow("2 rounds beside 1");
  });
});
