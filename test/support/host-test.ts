/** Tests on the scratch host: each gets it, and leaves it as it was. */
import { test } from "bun:test";
import { type ScratchHost, type ScratchHostOptions, withScratchHost } from "./scratch-host.ts";

type Body<Row extends readonly unknown[]> = (host: ScratchHost, ...row: Row) => Promise<unknown>;
type Rest<Row> = [Row] extends [readonly unknown[]] ? Row : [Row];

export interface HostTest {
  (name: string, body: Body<[]>): void;
  /** As `test.each`: the row, or the one value, follows the host. */
  each<Row extends readonly [unknown, ...unknown[]] | string | number | undefined>(
    rows: readonly Row[],
  ): (name: string, body: Body<Rest<Row>>) => void;
}

/** Tests that may keep what `options` says; `run` is `test`, or a skip of testUnless. */
export const hostTests = (options: ScratchHostOptions = {}, run: typeof test = test): HostTest =>
  Object.assign((name: string, body: Body<[]>) => run(name, () => withScratchHost(body, options)), {
    each:
      <Row>(rows: readonly Row[]) =>
      (name: string, body: Body<Rest<Row>>) =>
        run.each<Row>([...rows])(name, (...row: unknown[]) =>
          withScratchHost((host) => body(host, ...(row as unknown as Rest<Row>)), options),
        ),
  });

/** A test that leaves nothing at all. */
export const hostTest = hostTests();
