/**
 * A worker process in a scratch host of its own. It gets questions, one a line, and answers each with a JSON document on
 * a line; when this process ends, so does the worker.
 */
import { isolated } from "./isolation.ts";
import { linesOf } from "./lines.ts";

export class Lane<Answer> implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  /** Runs the script with these arguments; `visible` are paths that must be seen in the scratch host. */
  constructor(script: string, args: readonly string[], visible: readonly string[]) {
    this.#child = Bun.spawn(isolated([process.execPath, script, ...args], visible), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: process.env,
    });
    this.#answers = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** @throws Error when the worker ends instead of answering */
  async ask(question: string): Promise<Answer> {
    this.#child.stdin.write(`${question}\n`);
    this.#child.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the worker ${this.#child.pid} ended when it was asked ${question}`);
    return JSON.parse(value) as Answer;
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end();
    this.#child.kill();
  }
}
