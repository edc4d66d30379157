/** nerdctl, with state of its own, on a containerd of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import { settingsOf } from "../../test/support/runtimes-page.ts";
import { type Containerd, IMAGE } from "../containerd/daemon.ts";
import type { WorkerTask } from "../scratch-suite.ts";

/** A container's place in one network, as `inspect` gives it. */
export interface Attachment {
  readonly IPAddress: string;
  readonly GlobalIPv6Address: string;
  readonly MacAddress: string;
}

export class Nerdctl {
  private readonly daemon: Containerd;
  private readonly program: string;
  private readonly cgroup: string;

  constructor(task: WorkerTask, daemon: Containerd) {
    this.daemon = daemon;
    this.program = `${task.places.nerdctl}/nerdctl`;
    this.cgroup = task.cgroup;
    const settings = {
      address: daemon.socket,
      data_root: `${task.folder}/nerdctl`,
      cgroup_manager: "cgroupfs",
    };
    mkdirSync("/etc/nerdctl", { recursive: true });
    const lines = Object.entries(settings).map(([key, value]) => `${key} = "${value}"`);
    // Its hooks read this file too. The folders of plugins and networks are as docs/runtimes.md has them.
    writeFileSync(
      "/etc/nerdctl/nerdctl.toml",
      `${lines.join("\n")}\n${settingsOf("nerdctl", "toml").join("")}`,
    );
  }

  /** Standard output of a nerdctl command. @throws CommandFailed */
  async do(...words: readonly string[]): Promise<string> {
    return (await outputOf([this.program, ...words], { env: this.daemon.environment })).trim();
  }

  /** The same, whatever its exit code. */
  outcome(...words: readonly string[]): Promise<Outcome> {
    return outcomeOf([this.program, ...words], { env: this.daemon.environment });
  }

  /** Standard output of `nerdctl run`: of the container's command, or with `-d` among the options its id. */
  run(options: readonly string[], command: readonly string[]): Promise<string> {
    return this.do("run", "--pull=never", `--cgroup-parent=/${this.cgroup}`, ...options, IMAGE, ...command);
  }

  /** The process and the networks of a container. */
  async inspect(container: string): Promise<{ pid: number; networks: Readonly<Record<string, Attachment>> }> {
    const [found] = JSON.parse(await this.do("inspect", container)) as {
      State: { Pid: number };
      NetworkSettings: { Networks: Record<string, Attachment> };
    }[];
    return { pid: found?.State.Pid ?? 0, networks: found?.NetworkSettings.Networks ?? {} };
  }

  async removeAll(): Promise<void> {
    const ids = (await this.do("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.do("rm", "-f", ...ids);
    await this.do("network", "prune", "--force");
  }
}
