/** The little of SVG that the plots need: elements, scales, axes. */

type Attributes = Readonly<Record<string, string | number>>;

/** An element as text. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const shown = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? Number(value.toFixed(2)) : escaped(value)}"`,
  );
  return children.length === 0
    ? `<${name}${shown.join("")}/>`
    : `<${name}${shown.join("")}>${children.join("\n")}</${name}>`;
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** A line of text. */
export const label = (x: number, y: number, text: string, attributes: Attributes = {}): string =>
  element("text", { x, y, ...attributes }, escaped(text));

/** A whole picture on white, for pages with dark and with light ground. */
export function picture(width: number, height: number, title: string, ...children: string[]): string {
  return `${element(
    "svg",
    {
      ...{
        xmlns: "http://www.w3.org/2000/svg",
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: "img",
      },
      ...{ "font-family": "system-ui, sans-serif", "font-size": 12, fill: "#222" },
    },
    element("title", {}, escaped(title)),
    element("rect", { width, height, fill: "#fff" }),
    label(16, 26, title, { "font-size": 16, "font-weight": 600 }),
    ...children,
  )}\n`;
}

/** Turns values into places; both ends of the values are shown. */
export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Equal ratios take equal lengths. Ticks at 1, 2 and 5 times the powers of ten. */
export function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const [a, b] = [Math.log(low), Math.log(high)];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of [1, 2, 5]) {
      const tick = step * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return { at: (value) => from + ((Math.log(value) - a) / (b - a)) * (to - from), ticks };
}

/** The next lower and higher value of 1, 2 and 5 times the powers of ten. */
export function rounded(low: number, high: number): [number, number] {
  const steps = Array.from({ length: 40 }, (_, n) => [1, 2, 5].map((step) => step * 10 ** (n - 20))).flat();
  return [steps.findLast((step) => step <= low) ?? low, steps.find((step) => step >= high) ?? high];
}
