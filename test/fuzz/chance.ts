/** Random choices that follow from a seed, so that a case that was found can be made again. */
import { randomFrom } from "../faults/part.ts";

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomFrom(seed);
  }

  /** A whole number from 0 up to, but without, `limit`. */
  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** @throws Error for an empty list */
  of<T>(list: readonly T[]): T {
    const index = this.below(list.length);
    if (index >= list.length) throw new Error("nothing to choose from");
    return list[index] as T;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}
