import { expect, test } from "bun:test";
import { type Judged, judgeAims, verdictOn } from "../../bench/aims.ts";
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

test("an aim is met when the worse bound reaches it, and more is better where that is so", () => {
  const at = (value: number) => ({ low: value - 0.1, high: value + 0.1 });
  const less = { aim: 0.5, stretch: 0.4 };
  expect([0.29, 0.31, 0.39, 0.41].map((value) => verdictOn(less, false, at(value)))).toEqual([
    ...(["stretch met", "met", "met", "missed"] as const),
  ]);
  const more = { aim: 4, stretch: 5 };
  expect([5.11, 5.09, 4.11, 4.09].map((value) => verdictOn(more, true, at(value)))).toEqual([
    ...(["stretch met", "met", "met", "missed"] as const),
  ]);
  expect(verdictOn({ aim: 1 }, false, at(0))).toBe("met");
});

test("each aim takes its own figure, for both of our files", () => {
  const sides = (
    step: string,
    compact: number,
    bun: number,
    reference: number,
    more: Partial<Series> = {},
  ) => [
    series("compact", step, compact, more),
    series("bun", step, bun, more),
    series("reference", step, reference, more),
  ];
  const at = (size: number) => ({ size, variant: `${size}` });
  const census = (peak: number) => ({ census: { syscalls: 1, programs: 4, threads: 1, peak, own: 1 } });
  const aims = judgeAims([
    measured("version", ...sides("VERSION", 1, 20, 10)),
    measured("ipv4", ...sides("ADD", 5, 12, 10), ...sides("DEL", 10, 9, 10)),
    measured(
      "masq",
      series("compact", "ADD", 2, census(2560)),
      series("bun", "ADD", 5, census(37 * 1024)),
      series("reference", "ADD", 10),
      ...sides("DEL", 3, 4, 10),
    ),
    measured("dual-stack", ...sides("ADD", 1.5, 4, 10)),
    measured("check", ...sides("CHECK", 6, 14, 10)),
    measured("status", ...sides("STATUS", 7, 18, 10)),
    measured("loopback", ...sides("ADD", 5.5, 30, 10)),
    measured("parallel", ...sides("ADD", 20, 50, 100, at(16)), ...sides("ADD", 9, 9, 1, at(1))),
    measured("leases", ...sides("ADD", 6, 26, 10, at(10)), ...sides("ADD", 6.6, 26, 80, at(10_000))),
    measured("leases-scan", ...sides("ADD", 80, 150, 75)),
    measured(
      "standing",
      ...[...sides("ADD", 10, 10, 1, at(10)), ...sides("ADD", 12, 11, 9, at(2000))],
      ...[
        ...sides("ADD without ipMasq", 10, 10, 1, at(10)),
        ...sides("ADD without ipMasq", 10, 20, 9, at(2000)),
      ],
    ),
    measured("cold", ...sides("ADD", 4, 30, 10)),
    measured("chain", ...sides("ADD", 4, 6, 10)),
    measured(
      "chain-port",
      series("compact", "ADD", 3.5, census(2560)),
      series("bun", "ADD", 5, census(37 * 1024)),
      series("reference", "ADD", 10),
    ),
    measured("chain-dual", ...sides("ADD", 2, 6, 10)),
    measured("chain-dual-port", ...sides("ADD", 5, 6, 10)),
    measured("chain-ports", ...sides("ADD", 10, 20, 1, at(1)), ...sides("ADD", 11.5, 26, 9, at(100))),
    measured(
      "chain-standing",
      ...[...sides("ADD", 10, 20, 1, at(10)), ...sides("ADD", 12, 21, 9, at(500))],
      ...sides("ADD", 13, 22, 9, at(2000)),
    ),
  ]);
  const judged = ({ measured: figure, verdict }: Judged) => [Number(figure?.value.toFixed(3)), verdict];
  expect(aims.map(({ compact, bun }) => [...judged(compact), ...judged(bun)])).toEqual([
    [0.1, "stretch met", 2, undefined],
    [0.5, "met", 1.2, "missed"],
    [0.2, "stretch met", 0.5, "met"],
    [0.15, "stretch met", 0.4, "met"],
    [1, "missed", 0.9, "met"],
    [0.3, "missed", 0.4, "missed"],
    [0.6, "met", 1.4, "met"],
    [0.7, "stretch met", 1.8, "met"],
    [0.6, "stretch met", 2.6, "met"],
    [0.55, "met", 3, undefined],
    [5, "stretch met", 2, "missed"],
    [1.2, "missed", 1.1, "met"],
    [1, "stretch met", 2, "missed"],
    [1.1, "met", 1, "met"],
    [80, "met", 150, undefined],
    [2.5, "met", 37, "missed"],
    [0.4, "stretch met", 3, undefined],
    [0.4, "met", 0.6, undefined],
    [0.35, "met", 0.5, undefined],
    [0.2, "stretch met", 0.6, undefined],
    [0.5, "missed", 0.6, undefined],
    [4, "met", 4, "met"],
    [1.15, "met", 1.3, "missed"],
    [1.2, "met", 1.05, "met"],
    [1.3, "missed", 1.1, "met"],
  ]);
});

test("what was not measured is not judged", () => {
  const [version, ...others] = judgeAims([
    measured("version", series("bun", "VERSION", 1), series("reference", "VERSION", 1)),
  ]);
  expect([version?.compact.verdict, version?.bun.measured?.value]).toEqual(["not measured", 1]);
  expect(new Set(others.flatMap(({ compact, bun }) => [compact.verdict, bun.verdict]))).toEqual(
    new Set(["not measured"]),
  );
});

test("a row holds all sides of a step, and the ratio of each to its base", () => {
  const rows = rowsOf(
    measured(
      "x",
      ...[series("compact", "ADD", 10), series("compact-copy", "ADD", 11), series("compact", "DEL", 20)],
      series("reference", "ADD", 40),
    ),
  );
  expect(rows).toMatchObject([
    { step: "ADD", sides: { compact: { wall: { median: 10, p99: 10 }, cpu: 5 }, reference: { cpu: 20 } } },
    { step: "DEL", wallRatio: {} },
  ]);
  const exactly = (value: number) => ({ value, low: value, high: value });
  expect(rows[0]?.wallRatio).toEqual({ compact: exactly(0.25), "compact-copy": exactly(1.1) });
});
