/** A process without any privilege that locks all it can open, in every way that there is, until it is disposed of. */

/** How a path is held: all the time, or again and again with a moment in between. */
export type Hold = "exclusive" | "shared" | "exclusive, again and again";

/** Who it is: another user with a group of its own, or in the group of root, as some system users are. */
export const INTRUDER = { user: 65534, groups: [65534, 0] } as const;

const COMMANDS: Readonly<Record<Hold, string>> = {
  exclusive: 'flock -x "$path" -c "$hold"',
  shared: 'flock -s "$path" -c "$hold"',
  // It says so once: its output is read only until each path was tried.
  "exclusive, again and again":
    'flock -x "$path" -c "$once"; while flock -x "$path" -c "exec sleep 0.9"; do :; done',
};

/** flock(1) ends with 66 for what it cannot open. The last line comes when each path was tried once. */
const script = (hold: Hold): string => `
for path in "$@"; do
  flock -n -s "$path" -c true 2>/dev/null
  [ $? = 66 ] && echo "refused $path" || { hold="echo held $path; exec sleep 600"; once="echo held $path; exec sleep 0.9"; { ${COMMANDS[hold]}; } & }
done
wait`;

export class Intruder implements AsyncDisposable {
  readonly #process;

  private constructor(hold: Hold, group: number, paths: readonly string[]) {
    const become = [`--reuid=${INTRUDER.user}`, `--regid=${group}`, "--clear-groups", "--bounding-set=-all"];
    // A session of its own, so that all its processes can be ended together.
    this.#process = Bun.spawn(
      ["setsid", "setpriv", ...become, "--", "/bin/sh", "-c", script(hold), "sh", ...paths],
      { stdout: "pipe", stderr: "ignore", stdin: "ignore" },
    );
  }

  /** Returns when it has tried each path: those that it holds, and those that it could not open. */
  static async on(
    hold: Hold,
    group: number,
    paths: readonly string[],
  ): Promise<{ intruder: Intruder; held: string[]; refused: string[] }> {
    const intruder = new Intruder(hold, group, paths);
    const outcome = new Map<string, string>();
    let text = "";
    for await (const chunk of intruder.#process.stdout) {
      text += new TextDecoder().decode(chunk);
      for (const line of text.split("\n").slice(0, -1)) {
        const [state = "", path = ""] = line.split(" ");
        outcome.set(path, state);
      }
      if (outcome.size === new Set(paths).size) break;
    }
    const of = (state: string) => paths.filter((path) => outcome.get(path) === state);
    return { intruder, held: of("held"), refused: of("refused") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.kill(-this.#process.pid, "SIGKILL");
    await this.#process.exited;
  }
}
