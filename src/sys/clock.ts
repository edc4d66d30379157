/**
 * Time, for code that waits. Functions of their own: naming `performance` or `Atomics` makes the engine build them as
 * soon as a function with the name in it is called, which takes 0.1 ms, and an ADD rarely waits.
 */

/** Milliseconds since a moment that stays the same within the process. */
export const now = (): number => performance.now();

/** Lets so many milliseconds pass. Nothing else runs meanwhile. */
export const pause = (milliseconds: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
