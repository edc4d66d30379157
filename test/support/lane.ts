/**
 * A worker process in a scratch host of its own. It gets questions, one a line, and answers each with a JSON document on
 * a line; when this process ends, so does the worker.
 */
import { isolated } from "./isolation.ts";
import { linesOf } from "./lines.ts";
import { requireScratchHost } from "./scratch-host.ts";

export class Lane<Answer> implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;
  readonly #stop = () => this.#child.kill("SIGKILL");

  /** Runs the script with these arguments; `visible` are paths that must be seen in the scratch host. */
  constructor(script: string, args: readonly string[], visible: readonly string[]) {
    this.#child = Bun.spawn(isolated([process.execPath, script, ...args], visible), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: process.env,
    });
    this.#answers = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
    process.once("exit", this.#stop);
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
    process.off("exit", this.#stop);
    this.#child.stdin.end();
    this.#child.kill();
  }
}

/** The worker's side of a lane: answers questions until there are no more. @throws Error outside of a scratch host. */
export async function answerEach(answer: (question: string) => Promise<object>): Promise<void> {
  requireScratchHost();
  for await (const question of console) {
    if (question === "") break;
    console.log(JSON.stringify(await answer(question)));
  }
}

/**
 * Asks lanes of one worker, chunk by chunk, until all is answered or `deadline` (of performance.now()) has passed. A
 * chunk stays in one lane.
 */
export async function askInLanes<Question, Answer>(
  worker: { readonly script: string; readonly args: readonly string[]; readonly visible: readonly string[] },
  chunks: readonly (readonly Question[])[],
  { lanes, deadline }: { lanes: number; deadline: number },
): Promise<{ job: Question; answer: Answer }[]> {
  const left = [...chunks];
  const done: { job: Question; answer: Answer }[] = [];
  const run = async () => {
    using lane = new Lane<Answer>(worker.script, worker.args, worker.visible);
    for (let chunk = left.shift(); chunk !== undefined; chunk = left.shift()) {
      for (const job of chunk) {
        if (performance.now() > deadline) return;
        done.push({ job, answer: await lane.ask(JSON.stringify(job)) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, chunks.length) }, run));
  return done;
}
