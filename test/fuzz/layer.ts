/** A layer that takes input from outside, and how it is fuzzed. */
import { CniError, toCniError } from "../../src/cni/error.ts";
import { KeyError } from "../../src/schema/key-error.ts";
import { Chance } from "./chance.ts";

export interface Layer {
  readonly name: string;
  /** Makes one case and tries it. @throws anything that the layer must not throw, or what is wrong with its answer */
  attempt(chance: Chance): void | Promise<void>;
}

/** A case that went wrong, with the seed that makes it again. */
export interface Finding {
  readonly layer: string;
  readonly seed: number;
  readonly problem: string;
}

/** Longest time for one case, in milliseconds: beyond it something hangs, however busy the machine is. */
const LONGEST = 5000;

/** Tries `count` cases, of which case n has the seed `seed + n`. */
export async function fuzz(layer: Layer, seed: number, count: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let number = 0; number < count && findings.length < 5; number++) {
    const start = performance.now();
    try {
      const trial = layer.attempt(new Chance(seed + number));
      if (trial instanceof Promise) await trial;
      const took = performance.now() - start;
      if (took > LONGEST) throw new Error(`took ${Math.round(took)} ms`);
    } catch (error) {
      // A stack of the compact file's engine has no message.
      const problem = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
      findings.push({ layer: layer.name, seed: seed + number, problem });
    }
  }
  return findings;
}

const CODES = [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51, 999];

/** What `action` gives, or undefined when it refuses with an error that a caller can use. @throws any other error */
export function unlessRefused<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    requireUsable(error);
    return undefined;
  }
}

/** @throws `error` itself unless it is a CniError with words, and, but for a delegate's own, a code of the protocol's */
export function requireUsable(error: unknown, { ofDelegate = false } = {}): void {
  if (!(error instanceof CniError || error instanceof KeyError)) throw error;
  const { code, message } = toCniError(error);
  if (!ofDelegate && !CODES.includes(code)) throw new Error(`code ${code}: ${message}`);
  if (!ofDelegate && message.trim() === "") throw new Error(`code ${code} without words`);
}
