/** What a case of the benchmark is: programs of several sides, measured in turns. */
import type { BenchHost, Program } from "./host.ts";
import type { Programs } from "./programs.ts";

/** Whose programs. The ratio of a row is that of ours to the row's base. */
export type Side = "ours" | "reference" | "hello" | "floor" | "copy";

/** One thing that is measured, or done between measurements. */
export interface Step {
  /** ADD, DEL, …: steps of the same name are compared. */
  readonly name: string;
  /** Programs that are started at once. `memory` is the contender's own, and lives as long as it does. */
  readonly programs: (memory: Memory) => readonly Program[];
  /** Looks at what the programs printed. */
  readonly keep?: (outputs: readonly string[], memory: Memory) => void;
  /** Done but not measured. */
  readonly untimed?: boolean;
}

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
  /** Measured rounds in a full and in a quick run. */
  readonly rounds: number;
  readonly quickRounds: number;
  /** Only in a full run, or when asked for by name. */
  readonly fullOnly?: boolean;
  /** Whether system calls, programs and memory of the tree are counted as well. */
  readonly census?: boolean;
  readonly open: (surroundings: Surroundings) => Promise<readonly Contender[]>;
}
