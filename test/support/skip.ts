/** Skipping a test with its cause in its name, where test/run.ts finds it. A skip without a cause fails the run. */
import { test } from "bun:test";

/** `test`, or a skip that names the cause when there is one. */
export const testUnless = (cause: string | undefined): typeof test =>
  cause === undefined
    ? test
    : (Object.assign(
        (name: string, body: () => void | Promise<void>) => test.skip(`${name} (skipped: ${cause})`, body),
        test,
      ) as typeof test);

/** The cause that a program is not on this machine, for tests that only root's runs provide with it. */
export const whyNoProgram = (name: string): string | undefined =>
  Bun.which(name) === null ? `no ${name}` : undefined;

/** The cause that a test's name gives. */
export const causeOf = (name: string): string | undefined => /\(skipped: (.+)\)$/.exec(name)?.[1];
