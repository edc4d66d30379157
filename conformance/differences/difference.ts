/** A difference between the Go plugins and ours that README tells, with the measurement that shows it. */
import type { Side } from "./side.ts";

/** What one side does, in a few facts. Every fact is looked up with other programs, or is what the plugin printed. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface Difference {
  /** The columns of README's table. */
  readonly what: string;
  readonly withGo: string;
  readonly withOurs: string;
  readonly why: string;
  /** Does the same on each side, on a scratch host that has nothing yet. */
  measure(side: Side): Promise<Facts>;
  /** What must come out. Where the two have equal facts, it is no difference. */
  readonly go: Facts;
  readonly ours: Facts;
}

/** The lines of a table in Markdown, with a line of dashes below the first. */
export const formatTable = (rows: readonly (readonly string[])[]): string[] =>
  rows.flatMap((cells, index) => [
    `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |"),
    ...(index === 0 ? [`|${cells.map(() => "---|").join("")}`] : []),
  ]);

/** README's table. */
export const readmeTable = (differences: readonly Difference[]): string[] =>
  formatTable([
    ["what", "with the Go plugins", "with Bridgehead", "why"],
    ...differences.map(({ what, withGo, withOurs, why }) => [what, withGo, withOurs, why]),
  ]);
