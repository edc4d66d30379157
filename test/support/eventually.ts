/** Waiting for a state of the system, with a deadline and without fixed pauses that hope for the best. */
import { STATE_LIMIT } from "./limits.ts";

/**
 * Asks `look` again and again until it gives something else than undefined or false, and returns that.
 * @throws Error naming `what` and the last state when `deadline` milliseconds have passed.
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  options: { readonly deadline?: number; readonly state?: () => unknown } = {},
): Promise<T> {
  const deadline = options.deadline ?? STATE_LIMIT;
  const end = performance.now() + deadline;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) {
      const state =
        options.state === undefined ? "" : `; last seen: ${JSON.stringify(await options.state())}`;
      throw new Error(`${what}: not within ${deadline} ms${state}`);
    }
    await Bun.sleep(pause);
  }
}
