/** Tests on the scratch host: each gets it, and leaves it as it was. */
import { test } from "bun:test";
import { type ScratchHost, type ScratchHostOptions, withScratchHost } from "./scratch-host.ts";

export interface HostTest {
  (name: string, body: (host: ScratchHost) => Promise<unknown>): void;
  /** As `test.each`: the row follows the host. */
  each<Row extends readonly [unknown, ...unknown[]]>(
    rows: readonly Row[],
  ): (name: string, body: (host: ScratchHost, ...row: Row) => Promise<unknown>) => void;
}

/** Tests that may keep what `options` says; `run` is `test`, or a skip of testUnless. */
export const hostTests = (options: ScratchHostOptions = {}, run: typeof test = test): HostTest =>
  Object.assign(
    (name: string, body: (host: ScratchHost) => Promise<unknown>) =>
      run(name, () => withScratchHost(body, options)),
    {
      each:
        <Row extends readonly [unknown, ...unknown[]]>(rows: readonly Row[]) =>
        (name: string, body: (host: ScratchHost, ...row: Row) => Promise<unknown>) =>
          run.each<Row>([...rows])(name, (...row) =>
            withScratchHost((host) => body(host, ...(row as unknown as Row)), options),
          ),
    },
  );

/** A test that leaves nothing at all. */
export const hostTest = hostTests();
