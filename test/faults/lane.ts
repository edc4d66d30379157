/** A worker process in mounts and namespaces of its own, which ends with this one. */
import { join } from "node:path";
import { isolated } from "../support/isolation.ts";
import type { Answer, Job } from "./job.ts";

export class Lane implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  constructor(binaries: string, side: "ours" | "reference") {
    const worker = [process.execPath, join(import.meta.dir, "worker.ts"), binaries, side];
    this.#child = Bun.spawn(isolated(worker, [binaries]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#answers = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async take(job: Job): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    this.#child.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the worker ended in ${JSON.stringify(job)}`);
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
