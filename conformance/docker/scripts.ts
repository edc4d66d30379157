/** The scripts of the CNI repository, called as the walk-through says. */
import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import type { WorkerTask } from "../scratch-suite.ts";

const NET_D = "/etc/cni/net.d";

/** The pair that is documented beside the scripts: 10-mynet.conf and 99-loopback.conf. */
export const MYNET = {
  cniVersion: "0.2.0",
  name: "mynet",
  type: "bridge",
  bridge: "cni0",
  isGateway: true,
  ipMasq: true,
  ipam: { type: "host-local", subnet: "10.22.0.0/16", routes: [{ dst: "0.0.0.0/0" }] },
} as const;
const LOOPBACK = { cniVersion: "0.2.0", name: "lo", type: "loopback" } as const;

export class Scripts {
  private readonly folder: string;
  private readonly environment: Readonly<Record<string, string>>;

  /** @param environment of the scripts, which call docker. */
  constructor(task: WorkerTask, environment: Readonly<Record<string, string>>) {
    const { scripts = "", neighbours = "" } = task.places;
    this.folder = `${task.folder}/scripts`;
    cpSync(scripts, this.folder, { recursive: true });
    // Go's cache of modules keeps no modes.
    for (const name of readdirSync(this.folder)) chmodSync(`${this.folder}/${name}`, 0o755);
    this.environment = { ...environment, CNI_PATH: `${task.binaries}:${neighbours}` };
  }

  /** Writes the configurations; `mynet` instead of the documented 10-mynet.conf. */
  configure(mynet: object = MYNET): void {
    for (const name of readdirSync(NET_D)) rmSync(`${NET_D}/${name}`);
    writeFileSync(`${NET_D}/10-mynet.conf`, JSON.stringify(mynet));
    writeFileSync(`${NET_D}/99-loopback.conf`, JSON.stringify(LOOPBACK));
  }

  /** Standard output of `./SCRIPT WORDS`. @throws CommandFailed */
  run(script: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    return outputOf([`./${script}`, ...words], this.options(env));
  }

  /** The same, whatever its exit code. */
  outcome(
    script: string,
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    return outcomeOf([`./${script}`, ...words], this.options(env));
  }

  private options(env: Readonly<Record<string, string>>) {
    return { cwd: this.folder, env: { ...this.environment, ...env } };
  }
}
