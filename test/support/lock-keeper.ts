/** Another process that holds a lock. */

export class LockKeeper implements AsyncDisposable {
  readonly #process;

  private constructor(path: string) {
    this.#process = Bun.spawn([process.execPath, `${import.meta.dir}/hold-lock.ts`, path], {
      stdin: "pipe",
      stdout: "pipe",
    });
  }

  /** Returns when the lock is held. */
  static async on(path: string): Promise<LockKeeper> {
    const keeper = new LockKeeper(path);
    for await (const chunk of keeper.#process.stdout) {
      if (new TextDecoder().decode(chunk).includes("held")) return keeper;
    }
    throw new Error(`the lock on ${path} can't be held`);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    await this.#process.exited;
  }
}
