/** A scratch host with the launcher in it: runs programs there, one at a time or at once, and measures them. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { isolated } from "../test/support/isolation.ts";
import { linesOf } from "../test/support/lines.ts";

/** A program to run. */
export interface Program {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** What one program did. */
export interface Run {
  readonly exit: number;
  /** Nanoseconds from before the start until it had ended. */
  readonly wall: number;
  /** Nanoseconds of processor time, with all descendants that it waited for. */
  readonly cpu: number;
  /** Peak of resident memory of the largest process, in KiB. */
  readonly maxrss: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What programs that were started at once did. */
export interface Batch {
  /** Nanoseconds from before the first start until the last had ended. */
  readonly wall: number;
  /** Descendants that outlived their parent, and their processor time. */
  readonly orphans: number;
  readonly orphansCpu: number;
  /** Whether a descendant still runs. */
  readonly left: boolean;
  readonly calls: readonly Run[];
}

/** What a traced program did: figures that do not depend on time. */
export interface Census {
  readonly exit: number;
  readonly syscalls: number;
  /** Programs that were started, itself included. */
  readonly programs: number;
  readonly threads: number;
  /** Peak of resident memory of the tree in KiB: the most that the peaks of programs that ran together come to. */
  readonly peak: number;
  /** The same without pages of files, which other processes share. */
  readonly own: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Microseconds between two measured calls: what the kernel does after the last one ends in that time. */
const PAUSE = 3_000;

/** Milliseconds for one answer. A call with a hundred ports whose instructions are counted takes minutes. */
const LIMIT = 900_000;

/** The launcher's environment for programs; theirs adds to it. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class BenchHost implements AsyncDisposable {
  readonly name: string;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;
  /** Outside of the host: its /var/lib/cni. */
  readonly folder: string;

  private constructor(name: string, child: Bun.Subprocess<"pipe", "pipe", "inherit">, folder: string) {
    this.name = name;
    this.#child = child;
    this.#answers = linesOf(child.stdout)[Symbol.asyncIterator]();
    this.folder = folder;
  }

  /**
   * Makes a host. `disk` is a folder that will hold its /var/lib/cni: leases are synced to a disk as they are on a
   * real host. `launcher` is the command that starts it, `visible` are folders with the programs that will run there.
   */
  static async open(
    name: string,
    launcher: readonly [string, ...string[]],
    disk: string,
    visible: readonly string[],
  ) {
    const folder = `${disk}/${name}`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const child = Bun.spawn(isolated(launcher, [folder, ...visible]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: process.env,
    });
    const host = new BenchHost(name, child, folder);
    try {
      await host.script(`mkdir -p /var/lib/cni\nmount -n --bind ${folder} /var/lib/cni`);
      return host;
    } catch (error) {
      // A launcher that lives on would keep this process from its end.
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs programs at once, after a pause, and measures them. @throws Error when one fails or leaves a process. */
  async time(programs: readonly Program[], pause = PAUSE): Promise<Batch> {
    const batch = await this.#ask<Batch>(`time ${pause} ${programs.length}`, programs);
    for (const [index, run] of batch.calls.entries()) {
      if (run.exit !== 0) throw failed(this.name, programs[index], run);
    }
    if (batch.left) throw new Error(`${this.name}: ${programs[0]?.argv.join(" ")} left a process behind`);
    return batch;
  }

  /** Runs one program under the tracer. */
  async census(program: Program): Promise<Census> {
    const census = await this.#ask<Census>("census 0 1", [program]);
    if (census.exit !== 0) throw failed(this.name, program, census);
    return census;
  }

  /** Runs a shell script that is not measured; its output. */
  async script(text: string): Promise<string> {
    // Given by standard input, as long as it fits into a pipe.
    const { calls } = await this.time([{ argv: ["/bin/sh", "-e"], stdin: text }], 0);
    return calls[0]?.stdout ?? "";
  }

  /** Runs a command with the name of a file that holds `text` as its last word. */
  async scriptWith(text: string, command: string): Promise<void> {
    const file = `${this.folder}/.input`;
    writeFileSync(file, text);
    await this.script(`${command} ${file}`);
    rmSync(file);
  }

  async #ask<T>(header: string, programs: readonly Program[]): Promise<T> {
    this.#child.stdin.write(Buffer.concat([Buffer.from(`${header}\n`), ...programs.map(encode)]));
    this.#child.stdin.flush();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LIMIT);
    const { value, done } = await this.#answers.next();
    clearTimeout(timer);
    if (done === true) throw new Error(`${this.name}: the launcher ended in ${programs[0]?.argv.join(" ")}`);
    return JSON.parse(value) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const failed = (host: string, program: Program | undefined, run: Pick<Run, "exit" | "stdout" | "stderr">) =>
  new Error(
    `${host}: ${program?.argv.join(" ")} ended with exit code ${run.exit}\n` +
      `environment: ${JSON.stringify(program?.env ?? {})}\nstdin: ${program?.stdin?.slice(0, 2000)}\n` +
      `${run.stdout}${run.stderr}`,
  );

function encode({ argv, env = {}, stdin = "" }: Program): Buffer {
  const variables = Object.entries({ PATH, ...env }).map(([name, value]) => `${name}=${value}`);
  const input = Buffer.from(stdin);
  const strings = [...argv, ...variables].map((text) => `${text}\0`).join("");
  return Buffer.concat([
    Buffer.from(`${argv.length} ${variables.length} ${input.length}\n${strings}`),
    input,
  ]);
}
