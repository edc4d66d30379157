import { expect, test } from "bun:test";
import { judgeAims, verdictOn } from "../../bench/aims.ts";
import type { Side } from "../../bench/case.ts";
import type { Series } from "../../bench/measure.ts";
import { type MeasuredCase, rowsOf } from "../../bench/report.ts";

const series = (side: Side, step: string, wall: number, more: Partial<Series> = {}): Series => ({
  ...{ side, variant: "", step, parallel: 1 },
  ...{ wall: [wall, wall, wall], cpu: [wall / 2, wall / 2, wall / 2], maxrss: [1024, 1024, 1024] },
  ...more,
});
const measured = (name: string, ...all: Series[]): MeasuredCase => ({
  ...{ name, title: name, rounds: 3, series: all },
});

test("an aim is met at its bound, and more is better where that is so", () => {
  const less = { aim: 0.45, stretch: 0.3, moreIsBetter: false };
  expect([0.3, 0.31, 0.45, 0.46].map((value) => verdictOn(less, value))).toEqual([
    ...(["stretch met", "met", "met", "missed"] as const),
  ]);
  const more = { aim: 2.5, stretch: 4, moreIsBetter: true };
  expect([4, 3.9, 2.5, 2.4].map((value) => verdictOn(more, value))).toEqual([
    ...(["stretch met", "met", "met", "missed"] as const),
  ]);
});

test("each aim takes its own figure", () => {
  const census = { syscalls: 1, programs: 1, threads: 1, peak: 36 * 1024 };
  const pair = (step: string, ours: number, reference: number) => [
    series("ours", step, ours),
    series("reference", step, reference),
  ];
  const at = (size: number) => ({ size, variant: `${size}` });
  const aims = judgeAims([
    measured("version", series("ours", "VERSION", 6), series("hello", "VERSION", 5)),
    measured("ipv4", ...pair("ADD", 7, 10), series("floor", "ADD", 1)),
    measured(
      "masq",
      series("ours", "ADD", 10, { census }),
      series("reference", "ADD", 40, { cpu: [8, 8, 8] }),
      ...pair("DEL", 30, 75),
    ),
    measured("masq-nftables", ...pair("ADD", 20, 50)),
    measured("dual-stack", ...pair("ADD", 10, 50), ...pair("DEL", 30, 150)),
    measured("parallel", series("ours", "ADD", 100, at(16)), series("reference", "ADD", 300, at(16))),
    measured(
      "standing",
      ...[series("ours", "ADD", 10, at(10)), series("ours", "ADD", 12, at(2000))],
      ...[
        series("ours", "ADD without ipMasq", 10, at(10)),
        series("ours", "ADD without ipMasq", 11, at(2000)),
      ],
    ),
  ]);
  expect(aims.map(({ value, verdict }) => [Number(value?.toFixed(3)), verdict])).toEqual([
    [0.25, "stretch met"],
    [0.4, "met"],
    [0.7, "met"],
    [0.2, "stretch met"],
    [0.4, "met"],
    [0.2, "stretch met"],
    [3, "met"],
    [0.625, "met"],
    [1.2, "missed"],
    [1.1, "met"],
    [1.2, "met"],
    [36, "met"],
    [6, "stretch met"],
  ]);
});

test("what was not measured is not judged", () => {
  expect(new Set(judgeAims([]).map(({ verdict }) => verdict))).toEqual(new Set(["not measured"]));
});

test("a row holds all sides of a step, and ratios of ours to each", () => {
  const rows = rowsOf(
    measured("x", series("ours", "ADD", 10), series("ours", "DEL", 20), series("reference", "ADD", 40)),
  );
  expect(rows).toMatchObject([
    { step: "ADD", sides: { ours: { wall: { median: 10, p99: 10 }, cpu: 5 }, reference: { cpu: 20 } } },
    { step: "DEL", wallRatio: {} },
  ]);
  expect(rows[0]?.wallRatio).toEqual({ reference: { value: 0.25, low: 0.25, high: 0.25 } });
});
