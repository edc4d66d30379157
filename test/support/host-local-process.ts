/** host-local as an executable, ours or the reference's, over one directory of leases. */
import { expect } from "bun:test";
import { builtBinaries, environmentOf, PluginOutcome } from "./plugin-call.ts";

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
      env: environmentOf({ command, ifname: "eth0", netns: "/nowhere", ...attachment }),
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** A killed one has no exit code that means anything. */
  async outcome(): Promise<PluginOutcome> {
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(this.#process.stdout).text(),
      new Response(this.#process.stderr).text(),
      this.#process.exited,
    ]);
    return new PluginOutcome(exitCode, stdout, stderr);
  }
}

const call = (...parameters: ConstructorParameters<typeof HostLocalProcess>): Promise<PluginOutcome> =>
  new HostLocalProcess(...parameters).outcome();

/** A call that must succeed. The addresses of its result, none if it has no result. */
export async function succeed(
  program: string,
  command: string,
  config: object,
  attachment: Attachment,
): Promise<string[]> {
  const outcome = await call(program, command, config, attachment);
  expect(`${command} of ${attachment.containerId}: ${outcome}`).toContain(": exit code 0, ");
  if (outcome.stdout === "") return [];
  return (outcome.json<{ ips?: { address: string }[] }>().ips ?? []).map(({ address }) => address);
}

/** A call that must fail. Its error object. */
export async function fail(
  program: string,
  command: string,
  config: object,
  attachment: Attachment,
): Promise<{ code: number; msg: string }> {
  const outcome = await call(program, command, config, attachment);
  expect(`${outcome}`).toStartWith("exit code 1");
  return outcome.json<{ code: number; msg: string }>();
}
