/** A worker process: one side of the comparison. */
import { join } from "node:path";
import { isolated } from "../../test/support/isolation.ts";
import type { ParityCase } from "./case.ts";
import type { Answer } from "./observation.ts";

/** One worker in mounts and namespaces of its own. */
export class Side implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  constructor(binaries: string) {
    const worker = [process.execPath, join(import.meta.dir, "worker.ts"), binaries];
    this.#child = Bun.spawn(isolated(worker, [binaries]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#answers = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async take(parityCase: ParityCase): Promise<Answer> {
    this.#child.stdin.write(`${parityCase.name}\n`);
    this.#child.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the worker of ${this.#child.pid} ended in case "${parityCase.name}"`);
    return JSON.parse(value) as Answer;
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
