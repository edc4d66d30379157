/** A Docker daemon on its own socket, with folders of its own, without any network. */
import { mkdirSync, symlinkSync } from "node:fs";
import { outcomeOf, outputOf } from "../../test/support/command.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import { hostEnvironment, startDaemon } from "../scratch-worker.ts";

export class Docker {
  /** For programs that call docker. */
  readonly environment: Readonly<Record<string, string>>;
  private readonly daemon: Bun.Subprocess;

  private constructor(environment: Readonly<Record<string, string>>, daemon: Bun.Subprocess) {
    this.environment = environment;
    this.daemon = daemon;
  }

  static async start(task: WorkerTask): Promise<Docker> {
    const folder = `${task.folder}/docker`;
    mkdirSync(`${folder}/bin`, { recursive: true });
    // Modules would be loaded into the machine's kernel.
    symlinkSync("/bin/false", `${folder}/bin/modprobe`);
    const { PATH = "", ...rest } = hostEnvironment(task);
    const environment = { ...rest, PATH, DOCKER_HOST: `unix://${folder}/socket` };
    const own = [
      ...["--host", environment.DOCKER_HOST, "--pidfile", `${folder}/pid`],
      ...["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "--storage-driver", "vfs"],
      ...["--cgroup-parent", `/${task.cgroup}`, "--exec-opt", "native.cgroupdriver=cgroupfs"],
    ];
    const noNetwork = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"];
    const env = { ...environment, PATH: `${folder}/bin:${PATH}` };
    const answers = async () => (await outcomeOf(["docker", "info"], { env: environment })).exitCode === 0;
    const daemon = await startDaemon(["dockerd", ...own, ...noNetwork], env, `${folder}/log`, answers);
    return new Docker(environment, daemon);
  }

  /** Standard output of a docker command, without the newline at its end. @throws CommandFailed */
  async run(words: readonly string[]): Promise<string> {
    return (await outputOf(["docker", ...words], { env: this.environment })).trimEnd();
  }

  /** Makes an image of a root file system. */
  async importImage(root: string, name: string): Promise<void> {
    const command = `tar -C ${root} -c . | docker import - ${name}`;
    await outputOf(command, { env: this.environment });
  }

  async version(): Promise<string> {
    return this.run(["version", "--format", "{{.Server.Version}} (client {{.Client.Version}})"]);
  }

  async removeAll(): Promise<void> {
    const ids = (await this.run(["ps", "-aq"])).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.run(["rm", "-f", ...ids]);
  }

  async stop(): Promise<void> {
    this.daemon.kill("SIGTERM");
    await this.daemon.exited;
  }
}
