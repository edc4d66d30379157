/** The two kinds of plots: how figures are spread, and how they grow. */

import { median, quantile } from "./statistics.ts";
import { element, label, logarithmic, picture, rounded } from "./svg.ts";

const COLOURS: Readonly<Record<string, string>> = {
  compact: "#0072b2",
  bun: "#cc79a7",
  reference: "#d55e00",
  floor: "#009e73",
};
const NAMES: Readonly<Record<string, string>> = { bun: "Bun", floor: "C floor" };

const WIDTH = 760;
const LEFT = 220;
const RIGHT = 30;
const GRID = { stroke: "#ddd", "stroke-width": 1 };

const colourOf = (side: string) => COLOURS[side] ?? "#000";

/** Measurements of one side in one row. */
export interface Spread {
  readonly side: string;
  readonly values: readonly number[];
}

/** A row for each thing, a dot for each measurement, a bar at the median; the milliseconds grow by ratio. */
export function spreadPlot(
  title: string,
  rows: readonly { name: string; spreads: readonly Spread[] }[],
): string {
  const LINE = 17;
  const all = rows.flatMap(({ spreads }) => spreads.flatMap(({ values }) => values));
  const [low, high] = rounded(Math.min(...all), Math.max(...all));
  const scale = logarithmic(low, high, LEFT, WIDTH - RIGHT);
  const parts: string[] = [];
  let y = 70;
  for (const { name, spreads } of rows) {
    parts.push(label(LEFT - 12, y + (spreads.length * LINE) / 2 - 4, name, { "text-anchor": "end" }));
    for (const { side, values } of spreads) {
      const colour = colourOf(side);
      for (const value of values) {
        parts.push(
          element("circle", { cx: scale.at(value), cy: y, r: 2.6, fill: colour, "fill-opacity": 0.3 }),
        );
      }
      const middle = scale.at(median(values));
      parts.push(element("rect", { x: middle - 1.5, y: y - 7, width: 3, height: 14, fill: colour }));
      y += LINE;
    }
    y += 12;
  }
  const bottom = y - 8;
  const axis = scale.ticks.flatMap((tick) => [
    element("line", { x1: scale.at(tick), x2: scale.at(tick), y1: 54, y2: bottom, ...GRID }),
    label(scale.at(tick), bottom + 16, String(tick), { "text-anchor": "middle" }),
  ]);
  const sides = [...new Set(rows.flatMap(({ spreads }) => spreads.map(({ side }) => side)))];
  return picture(
    ...[WIDTH, bottom + 44, title],
    ...axis,
    ...parts,
    label(WIDTH - RIGHT, bottom + 34, "milliseconds; each dot is a call, the bar is the median", {
      "text-anchor": "end",
    }),
    legend(sides.map((side) => ({ side, dashed: false, name: NAMES[side] ?? side }))),
  );
}

/** A line: values for each size, of which the median is drawn and the middle half is shaded. */
export interface Line {
  readonly side: string;
  readonly step: string;
  readonly points: readonly { readonly size: number; readonly values: readonly number[] }[];
}

/** How figures grow with a number; both axes grow by ratio. */
export function growthPlot(title: string, xName: string, yName: string, lines: readonly Line[]): string {
  const [left, top, bottom] = [70, 60, 360];
  const sizes = [...new Set(lines.flatMap(({ points }) => points.map(({ size }) => size)))].sort(
    (a, b) => a - b,
  );
  const spread = lines.flatMap(({ points }) =>
    points.flatMap(({ values }) => [0.25, 0.75].map((q) => quantile(values, q))),
  );
  const [low, high] = rounded(Math.min(...spread), Math.max(...spread));
  const x = logarithmic(sizes[0] ?? 1, sizes.at(-1) ?? 1, left + 20, WIDTH - RIGHT);
  const y = logarithmic(low, high, bottom, top);
  const path = (points: readonly (readonly [number, number])[]) =>
    points.map(([size, value]) => `${x.at(size).toFixed(1)},${y.at(value).toFixed(1)}`).join(" ");
  const drawn = lines.flatMap(({ side, step, points }) => {
    const colour = colourOf(side);
    const at = (q: number) => points.map(({ size, values }) => [size, quantile(values, q)] as const);
    return [
      element("polygon", {
        points: path([...at(0.25), ...at(0.75).reverse()]),
        fill: colour,
        "fill-opacity": 0.15,
      }),
      element("polyline", {
        ...{ points: path(at(0.5)), fill: "none", stroke: colour, "stroke-width": 2 },
        ...(isDashed(lines, step) ? { "stroke-dasharray": "6 4" } : {}),
      }),
      ...at(0.5).map(([size, value]) =>
        element("circle", { cx: x.at(size), cy: y.at(value), r: 3.5, fill: colour }),
      ),
    ];
  });
  return picture(
    ...[WIDTH, bottom + 50, title],
    ...y.ticks.flatMap((tick) => [
      element("line", { x1: left, x2: WIDTH - RIGHT, y1: y.at(tick), y2: y.at(tick), ...GRID }),
      label(left - 8, y.at(tick) + 4, String(tick), { "text-anchor": "end" }),
    ]),
    ...sizes.map((size) =>
      label(x.at(size), bottom + 18, size.toLocaleString("en"), { "text-anchor": "middle" }),
    ),
    label(WIDTH - RIGHT, bottom + 38, xName, { "text-anchor": "end" }),
    label(16, 48, yName),
    ...drawn,
    legend(
      lines.map(({ side, step }) => ({
        ...{ side, dashed: isDashed(lines, step), name: `${NAMES[side] ?? side}, ${step}` },
      })),
    ),
  );
}

/** The first step of a plot is drawn solid, others are dashed. */
const isDashed = (lines: readonly Line[], step: string) => step !== lines[0]?.step;

function legend(entries: readonly { side: string; dashed: boolean; name: string }[]): string {
  let right = WIDTH - RIGHT;
  const parts = [...entries].reverse().flatMap(({ side, dashed, name }) => {
    const text = label(right, 48, name, { "text-anchor": "end" });
    const start = right - name.length * 6.6 - 28;
    const line = element("line", {
      ...{ x1: start, x2: start + 22, y1: 44, y2: 44, stroke: colourOf(side), "stroke-width": 3 },
      ...(dashed ? { "stroke-dasharray": "6 4" } : {}),
    });
    right = start - 18;
    return [text, line];
  });
  return element("g", {}, ...parts);
}
