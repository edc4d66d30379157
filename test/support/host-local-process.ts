/** host-local as an executable, ours or the reference's, over one directory of leases. */
import { expect } from "bun:test";
import { builtBinaries } from "./plugin-call.ts";

/** The built file. */
export const OURS = `${builtBinaries()}/host-local`;

export interface Attachment {
  readonly containerId: string;
  readonly ifname?: string;
  readonly netns?: string;
  readonly args?: string;
}

/** A call under way. */
export class HostLocalProcess {
  readonly #process;

  /** `program` may have a command in front under which it runs. */
  constructor(program: string | readonly string[], command: string, config: object, attachment: Attachment) {
    this.#process = Bun.spawn(typeof program === "string" ? [program] : [...program], {
      stdin: Buffer.from(JSON.stringify(config)),
      stdout: "pipe",
      stderr: "pipe",
      env: {
        PATH: process.env.PATH,
        CNI_COMMAND: command,
        CNI_CONTAINERID: attachment.containerId,
        CNI_IFNAME: attachment.ifname ?? "eth0",
        CNI_NETNS: attachment.netns ?? "/nowhere",
        CNI_ARGS: attachment.args ?? "",
        CNI_PATH: builtBinaries(),
      },
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Exit code, and what it said. A killed one has no exit code that means anything. */
  async outcome(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(this.#process.stdout).text(),
      new Response(this.#process.stderr).text(),
      this.#process.exited,
    ]);
    return { exitCode, stdout, stderr };
  }
}

/** A call that must succeed. The addresses of its result, none if it has no result. */
export async function succeed(
  program: string,
  command: string,
  config: object,
  attachment: Attachment,
): Promise<string[]> {
  const { exitCode, stdout } = await new HostLocalProcess(program, command, config, attachment).outcome();
  expect({ command, attachment, exitCode, stdout: exitCode === 0 ? "" : stdout }).toEqual({
    command,
    attachment,
    exitCode: 0,
    stdout: "",
  });
  const result = stdout === "" ? {} : (JSON.parse(stdout) as { ips?: { address: string }[] });
  return (result.ips ?? []).map(({ address }) => address);
}

/** A call that must fail. Its error object. */
export async function fail(
  program: string,
  command: string,
  config: object,
  attachment: Attachment,
): Promise<{ code: number; msg: string }> {
  const { exitCode, stdout } = await new HostLocalProcess(program, command, config, attachment).outcome();
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: expect.stringContaining('"code"') });
  return JSON.parse(stdout);
}

/** Runs as many at a time as `lanes` says. */
export async function inLanes<T>(
  lanes: number,
  jobs: readonly T[],
  run: (job: T) => Promise<void>,
): Promise<void> {
  const left = [...jobs];
  const lane = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) await run(job);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
