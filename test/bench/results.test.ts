import { expect, test } from "bun:test";
import { growthPlot, spreadPlot } from "../../bench/plots.ts";
import { withTables } from "../../bench/results.ts";
import { logarithmic, picture, rounded } from "../../bench/svg.ts";
import { aimsTable, figuresTable } from "../../bench/tables.ts";

test("a page keeps what is around its marks, run after run", () => {
  const page = "above\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nbelow\n";
  const once = withTables(page, "| new |");
  expect(once).toBe("above\n<!-- bench: begin -->\n\n| new |\n\n<!-- bench: end -->\nbelow\n");
  expect(withTables(once, "| new |")).toBe(once);
  expect(() => withTables("no marks", "x")).toThrow("lacks the marks");
});

test("a table shows ours and the other side, and a ratio with its bounds", () => {
  const series = (side: "ours" | "reference", wall: number) => ({
    ...{ side, variant: "10 leases", step: "ADD", parallel: 1 },
    ...{ wall: [wall], cpu: [wall], maxrss: [2048] },
  });
  const cases = [
    { name: "x", title: "IPv4", rounds: 1, series: [series("ours", 11), series("reference", 32)] },
  ];
  expect(figuresTable(cases, "main").split("\n")).toHaveLength(2);
  expect(figuresTable(cases, "all").split("\n").at(-1)).toBe(
    "| ADD, IPv4: 10 leases | 11.0 / 32.0 | 11.0 / 32.0 | 0.34 (0.34–0.34) | 11.0 / 32.0 | 0.34 (0.34–0.34) | 2.0 / 2.0 |  |  |",
  );
  const aim = { name: "speed", unit: "", aim: 0.5, stretch: 0.3, moreIsBetter: false } as const;
  expect(
    aimsTable([{ ...aim, value: 0.4, low: 0.35, high: 0.45, verdict: "met" }])
      .split("\n")
      .at(-1),
  ).toBe("| speed | ≤ 0.5 | 0.3 | 0.40 | 0.35–0.45 | met |");
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
    { side: "ours", values: [10, 11, 12] },
    { side: "reference", values: [30, 31] },
  ];
  const spread = await elementsOf(spreadPlot("A & B", [{ name: "<IPv4>", spreads }]));
  expect(spread.filter((name) => name === "circle")).toHaveLength(5);
  const points = [10, 2000].map((size) => ({ size, values: [1, 2, 3] }));
  const lines = [
    { side: "ours", step: "ADD", points },
    { side: "reference", step: "ADD", points },
  ];
  const growth = await elementsOf(growthPlot("T", "x", "y", lines));
  expect(growth.filter((name) => name === "polyline")).toHaveLength(2);
  expect(picture(10, 10, 'a "<b>" & c')).toContain("<title>a &quot;&lt;b>&quot; &amp; c</title>");
});
