/** What a worker is asked and what it answers. */
import type { Point } from "./point.ts";

export type DisturbedCommand = "ADD" | "DEL";

/**
 * How the runtime's DEL comes after a kill: with the namespace, without its path though it is there, after it went, and
 * after it went without its path; or after it went comes no DEL, but a GC that does not list the container.
 */
export const AFTERMATHS = ["present", "unnamed", "gone", "nameless", "collected"] as const;

interface Disturbance {
  readonly scenario: string;
  readonly command: DisturbedCommand;
  readonly point: Point;
}

export type Kill = Disturbance & { readonly kind: "kill"; readonly aftermath: (typeof AFTERMATHS)[number] };
export type SystemCallError = Disturbance & {
  readonly kind: "error";
  readonly errno: string;
  /** Whether a whole life follows. It costs as much as the case; the next case on the host shows most of it. */
  readonly live: boolean;
};
export type Job =
  | { readonly kind: "record"; readonly scenario: string; readonly command: DisturbedCommand }
  | Kill
  | SystemCallError;

/** Something that is not as it must be: "link", "rule", "lease", "neighbour", … and the words for it. */
export interface Problem {
  readonly what: string;
  readonly text: string;
}

export interface Answer {
  /** Of a record. */
  readonly points?: readonly Point[];
  /** What the fault hit, as strace shows it; undefined when the run ended before it came so far. */
  readonly hit?: string | undefined;
  /** How the disturbed call ended, in a word for the figures. */
  readonly end?: string;
  readonly problems: readonly Problem[];
}
