/** What a case of the benchmark is: programs of several sides, measured in turns. */
import type { BenchHost, Program } from "./host.ts";
import type { Programs } from "./programs.ts";

/** Bridgehead on each of its engines (src/engine): the compact file and the Bun file. */
export type Ours = "compact" | "bun";

/** Whose plugins. */
export type Owner = Ours | "reference";

/**
 * What is measured: plugins; copies of their files, which show by how much the same plugins differ in a run; the floor,
 * bench/floor.c.
 */
export type Side = Owner | `${Owner}-copy` | "floor";

/** What the time of a side is divided by. */
export const baseOf = (side: Side): Side => {
  const [owner] = side.split("-") as [Owner | "floor", string?];
  return side === owner ? "reference" : owner;
};

/** The sides of a case with the folders of their plugins: one for each owner, and their copies if they are wanted. */
export const sidesOf = ({ plugins }: Programs, copies: "with copies" | "without copies"): [Side, string][] =>
  (Object.entries(plugins) as [Side, string][]).filter(
    ([side]) => copies === "with copies" || !side.endsWith("copy"),
  );

/** Programs that are started at once. */
export interface Part {
  /** `memory` is the contender's own, and lives as long as it does. */
  readonly programs: (memory: Memory) => readonly Program[];
  /** Looks at what the programs printed. */
  readonly keep?: (outputs: readonly string[], memory: Memory) => void;
}

/** One thing that is measured, or done between measurements. */
export interface Step extends Part {
  /** ADD, DEL, …: steps of the same name are compared. */
  readonly name: string;
  /** What follows without a pause, as the next plugins of a chain do. The figures of a step are the sums of all parts. */
  readonly more?: readonly Part[];
  /** Done but not measured. */
  readonly untimed?: boolean;
}

/** The same, done but not measured. */
export const untimed = (step: Step): Step => ({ ...step, untimed: true });

/** What a contender remembers from one step to the next. */
export interface Memory {
  result: string;
}

/** One side in one variant of a case, on a host of its own. After all its steps the host is as before. */
export interface Contender {
  readonly side: Side;
  /** As in "500 attachments"; empty when there is only one. */
  readonly variant: string;
  /** The number in `variant`, for plots. */
  readonly size?: number;
  readonly host: Pick<BenchHost, "time" | "census">;
  readonly steps: readonly Step[];
}

/** What a case is run with. */
export interface Surroundings {
  readonly programs: Programs;
  readonly quick: boolean;
  /** A host that ends with the case. */
  host(name: string): Promise<BenchHost>;
}

export interface BenchCase {
  readonly name: string;
  readonly title: string;
  /** What it may take of a full run, in seconds of a quiet machine; time that one case leaves goes to those after it. */
  readonly seconds: number;
  /** Measured rounds in a full and in a quick run; at most, where the time of a run is limited. */
  readonly rounds: number;
  readonly quickRounds: number;
  /** Only in a full run, or when asked for by name. */
  readonly fullOnly?: boolean;
  /** Whether system calls, programs and memory of the tree are counted as well. */
  readonly census?: boolean;
  readonly open: (surroundings: Surroundings) => Promise<readonly Contender[]>;
}
