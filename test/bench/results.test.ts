import { expect, test } from "bun:test";
import type { Side } from "../../bench/case.ts";
import type { Series } from "../../bench/measure.ts";
import { growthPlot, spreadPlot } from "../../bench/plots.ts";
import type { MeasuredCase } from "../../bench/report.ts";
import { withTables } from "../../bench/results.ts";
import { logarithmic, picture, rounded } from "../../bench/svg.ts";
import { aimsTable, controlsTable, figuresTable, speedTable } from "../../bench/tables.ts";

test("a page keeps what is around its marks, run after run", () => {
  const page = "above\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nbelow\n";
  const once = withTables("PAGE.md", page, "| new |");
  expect(once).toBe("above\n<!-- bench: begin -->\n\n| new |\n\n<!-- bench: end -->\nbelow\n");
  expect(withTables("PAGE.md", once, "| new |")).toBe(once);
  expect(() => withTables("PAGE.md", "no marks", "x")).toThrow("PAGE.md lacks the marks");
});

const series = (side: Side, wall: number) => ({
  ...{ side, variant: "10 leases", step: "ADD", parallel: 1, wall: [wall], cpu: [wall], maxrss: [1] },
  census: { syscalls: 200, programs: 1, threads: 1, peak: 2048, own: 1024 },
});
const caseOf = (...all: Series[]): MeasuredCase => ({ name: "x", title: "IPv4", rounds: 1, series: all });
const last = (table: string) => table.split("\n").at(-1);

test("a table shows all sides in each cell, and the ratios of ours with their bounds", () => {
  const cases = [caseOf(series("compact", 5), series("bun", 11), series("reference", 20))];
  expect(figuresTable(cases, "main").split("\n")).toHaveLength(2);
  const [times, compact, bun] = ["5.0 / 11.0 / 20.0", "0.25 (0.25–0.25)", "0.55 (0.55–0.55)"];
  expect(last(figuresTable(cases, "all"))).toBe(
    `| ADD, IPv4: 10 leases | ${times} | ${times} | ${compact} | ${bun} | ${times} | ${compact} | ${bun} ` +
      "| 2.0 / 2.0 / 2.0 | 1.0 / 1.0 / 1.0 | 200 / 200 / 200 | 1 / 1 / 1 |",
  );
  expect(last(figuresTable([caseOf(series("bun", 11), series("reference", 22))], "all"))).toStartWith(
    "| ADD, IPv4: 10 leases | – / 11.0 / 22.0 | – / 11.0 / 22.0 |  | 0.50 (0.50–0.50) |",
  );
});

test("a table shows each aim beside what was measured", () => {
  const measured = { value: 0.4, low: 0.35, high: 0.45 };
  const aim = { name: "speed", unit: "", moreIsBetter: false } as const;
  const compact = { bounds: { aim: 0.5, stretch: 0.3 }, measured, verdict: "met" } as const;
  expect(last(aimsTable([{ ...aim, compact, bun: { measured } }]))).toBe(
    "| speed | ≤ 0.5 | ≤ 0.3 | 0.40 (0.35–0.45) | met | – | 0.40 (0.35–0.45) |  |",
  );
  const throughput = { name: "calls", unit: "×", moreIsBetter: true };
  const bun = { bounds: { aim: 2 }, verdict: "not measured" } as const;
  expect(last(aimsTable([{ ...throughput, compact, bun }]))).toBe(
    "| calls | ≥ 0.5× | ≥ 0.3× | 0.40 (0.35–0.45) | met | ≥ 2× |  | not measured |",
  );
});

test("a table shows the copy of each side beside it, for cases that have one", () => {
  const copies = caseOf(series("bun", 10), series("bun-copy", 11), series("reference", 20));
  expect(
    controlsTable([caseOf(series("bun", 10), series("reference", 20)), copies])
      .split("\n")
      .slice(2),
  ).toEqual(["| ADD, IPv4: 10 leases |  | 1.10 (1.10–1.10) |  |"]);
});

test("README shows the medians of all sides, and what was not measured as missing", () => {
  const masq = (...all: Series[]): MeasuredCase => ({ ...caseOf(...all), name: "masq" });
  const lines = speedTable([masq(series("compact", 5), series("reference", 20))]).split("\n");
  expect(lines).toContain("| ADD, IPv4 with `ipMasq`, ms | 5.0 | – | 20.0 |");
  expect(lines).toContain("| STATUS, ms | – | – | – |");
  expect(lines.at(-1)).toBe("| most memory in an ADD with `ipMasq`, MiB | 2.0 | – | 2.0 |");
});

test("a logarithmic scale gives equal lengths to equal ratios", () => {
  const scale = logarithmic(1, 100, 0, 200);
  expect([1, 10, 100].map(scale.at)).toEqual([0, 100, 200]);
  expect(scale.ticks).toEqual([1, 2, 5, 10, 20, 50, 100]);
  expect(rounded(3, 130)).toEqual([2, 200]);
});

/** Throws when the picture is no XML or has a number that is none. */
async function elementsOf(svg: string): Promise<string[]> {
  const names: string[] = [];
  const open: string[] = [];
  for (const [, end, name = "", attributes = "", empty] of svg.matchAll(
    /<(\/?)([\w]+)((?:\s[\w-]+="[^"<]*")*)(\/?)>/g,
  )) {
    if (end === "/") expect(open.pop()).toBe(name);
    else if (empty !== "/") open.push(name);
    if (end !== "/") names.push(name);
    expect(attributes).not.toMatch(/NaN|Infinity|undefined/);
  }
  expect(open).toEqual([]);
  return names;
}

test("plots have a dot for each call, a line for each side, and no number that is none", async () => {
  const spreads = [
    { side: "compact", values: [10, 11, 12] },
    { side: "reference", values: [30, 31] },
  ];
  const spread = await elementsOf(spreadPlot("A & B", [{ name: "<IPv4>", spreads }]));
  expect(spread.filter((name) => name === "circle")).toHaveLength(5);
  const points = [10, 2000].map((size) => ({ size, values: [1, 2, 3] }));
  const lines = [
    { side: "compact", step: "ADD", points },
    { side: "reference", step: "ADD", points },
  ];
  const growth = await elementsOf(growthPlot("T", "x", "y", lines));
  expect(growth.filter((name) => name === "polyline")).toHaveLength(2);
  expect(picture(10, 10, 'a "<b>" & c')).toContain("<title>a &quot;&lt;b>&quot; &amp; c</title>");
});
