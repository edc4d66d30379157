/** What a part of the fault runs is: cases tried against the built programs, and what was found wrong. */

export interface FaultContext {
  /** The folder of the built programs: bridge, host-local, loopback. */
  readonly binaries: string;
  /** Of another build of them, which is compared with these. */
  readonly other: string;
  /** Survives from run to run; git ignores it. Programs of others are built into it. */
  readonly cache: string;
  /** All random choices follow from it. */
  readonly seed: number;
  /** Everything, however long it takes. */
  readonly long: boolean;
  /** Of the sweeps, only cases whose words contain this: how to see one again that was found. */
  readonly only: string;
  /** The end of the part's time, or of a share of it, as performance.now() gives it. */
  until(share?: number): number;
  /** Prints a line at once: progress, never what was found. */
  say(line: string): void;
}

export interface PartReport {
  /** Cases tried. A part that tried none has failed. */
  readonly tried: number;
  /** What is wrong, one entry for each thing, with all that is needed to see it again. */
  readonly found: readonly string[];
  /** Lines to print: what was counted, the reference's figures beside ours, what was left out for time. */
  readonly figures: readonly string[];
}

/** The default export of test/faults/NAME.ts, for each NAME in PARTS of run.ts. */
export interface FaultPart {
  readonly title: string;
  run(context: FaultContext): Promise<PartReport>;
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
