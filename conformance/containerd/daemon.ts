/** A containerd on its own socket, with folders of its own. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { outcomeOf, outputOf } from "../../test/support/command.ts";
import { settingsOf } from "../../test/support/runtimes-page.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import { hostEnvironment, startDaemon } from "../scratch-worker.ts";
import { writeImage } from "./image.ts";

/** The image that each container is made of; there is no registry to get another from. */
export const IMAGE = "localhost/busybox:1";

export class Containerd {
  /** For programs that call containerd. */
  readonly environment: Readonly<Record<string, string>>;
  readonly socket: string;
  private readonly programs: string;
  private readonly folder: string;
  private readonly root: string;
  private daemon: Bun.Subprocess | undefined;

  /** Its programs are in the place "daemon" of the task; images are made of the root file system `root`. */
  constructor(task: WorkerTask, root: string) {
    const { PATH = "", ...rest } = hostEnvironment(task);
    const { daemon: programs = "" } = task.places;
    this.environment = { ...rest, PATH: `${programs}:${PATH}` };
    this.programs = programs;
    this.root = root;
    this.folder = `${task.folder}/containerd`;
    this.socket = `${this.folder}/socket`;
    mkdirSync(this.folder);
  }

  async start(): Promise<void> {
    const config = `${this.folder}/config.toml`;
    writeFileSync(config, this.config((await this.version()).startsWith("1.")));
    const answers = async () =>
      (await outcomeOf(this.ctrCommand(["version"]), { env: this.environment })).exitCode === 0;
    const words = [`${this.programs}/containerd`, "--config", config];
    this.daemon = await startDaemon(words, this.environment, this.logFile, answers);
  }

  /** Writes the image for its users to load. */
  async imageArchive(): Promise<string> {
    const archive = `${this.folder}/image.tar`;
    await writeImage(this.root, IMAGE, archive);
    return archive;
  }

  /** Its containers live on. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.daemon?.kill(signal);
    await this.daemon?.exited;
  }

  /** The end of what it wrote. */
  log(): string {
    return readFileSync(this.logFile, "utf8").split("\n").slice(-30).join("\n");
  }

  /** As in "2.4.2". */
  async version(): Promise<string> {
    const said = await outputOf([`${this.programs}/containerd`, "--version"]);
    return /\bv?(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? said;
  }

  ctrCommand(words: readonly string[]): string[] {
    return [`${this.programs}/ctr`, "--address", this.socket, ...words];
  }

  /** Standard output of a ctr command. @throws CommandFailed */
  ctr(words: readonly string[]): Promise<string> {
    return outputOf(this.ctrCommand(words), { env: this.environment });
  }

  async removeAll(): Promise<void> {
    const ids = (await this.ctr(["containers", "ls", "-q"])).split("\n").filter((id) => id !== "");
    for (const id of ids) {
      await outcomeOf(this.ctrCommand(["task", "rm", "--force", id]), { env: this.environment });
      await this.ctr(["containers", "rm", id]);
    }
  }

  private get logFile(): string {
    return `${this.folder}/log`;
  }

  /** Of version 2 for containerd 1.x, else of version 3; the folders of plugins and networks as docs/runtimes.md has them. */
  private config(isFirst: boolean): string {
    const [newer = "", older = ""] = settingsOf("containerd", "toml");
    const own = isFirst
      ? `[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${IMAGE}"
restrict_oom_score_adj = true`
      : `[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true`;
    const [version, ...cni] = (isFirst ? older : newer).split("\n");
    return [version, this.places(), own, ...cni].join("\n");
  }

  private places(): string {
    return `root = "${this.folder}/root"
state = "${this.folder}/state"
[grpc]
address = "${this.socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "${this.folder}/opt"`;
  }
}
