/** Skipping a test with its cause in its name, where test/run.ts finds it. A skip without a cause fails the run. */
import { test } from "bun:test";

type Body = () => void | Promise<void>;

/** `test`, or a skip that names the cause when there is one. */
export function testUnless(cause: string | undefined): typeof test {
  if (cause === undefined) return test;
  const skip = (name: string, body: Body) => test.skip(`${name} (skipped: ${cause})`, body);
  // `each` is no property that Object.assign would copy.
  const each = (rows: unknown[]) => (name: string, body: Body) =>
    test.skip.each(rows)(`${name} (skipped: ${cause})`, body);
  return Object.assign(skip, test, { each }) as unknown as typeof test;
}

/** The cause that a program is not on this machine, for tests that only root's runs provide with it. */
export const whyNoProgram = (name: string): string | undefined =>
  Bun.which(name) === null ? `no ${name}` : undefined;

/** The cause that a test's name gives. */
export const causeOf = (name: string): string | undefined => /\(skipped: (.+)\)$/.exec(name)?.[1];
