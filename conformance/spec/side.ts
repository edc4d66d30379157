/** A worker process: one side, in mounts and namespaces of its own. */
import { join } from "node:path";
import { isolated } from "../../test/support/isolation.ts";
import type { SpecCase } from "./case.ts";
import type { Report } from "./observation.ts";

export class Side implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #reports: AsyncIterator<string>;

  constructor(binaries: string) {
    const worker = [process.execPath, join(import.meta.dir, "worker.ts"), binaries];
    this.#child = Bun.spawn(isolated(worker, [binaries]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#reports = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async take(specCase: SpecCase): Promise<Report> {
    this.#child.stdin.write(`${specCase.name}\n`);
    this.#child.stdin.flush();
    const { value, done } = await this.#reports.next();
    if (done === true)
      throw new Error(`the worker of ${this.#child.pid} ended in the case "${specCase.name}"`);
    return JSON.parse(value) as Report;
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end();
    this.#child.kill();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
