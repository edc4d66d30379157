/** Pods as the kubelet makes them, through crictl. */
import { mkdirSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import type { Stage } from "../scratch-worker.ts";
import { type Containerd, IMAGE } from "./daemon.ts";

export interface Pod {
  readonly name: string;
  /** Of the sandbox; the plugins' container id. */
  readonly id: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** As the runtime reports them. */
  readonly v4: string;
  readonly v6: string;
}

/** What crictl gives in `inspectp`, as far as it is used. */
interface Inspected {
  readonly status: {
    readonly network: { readonly ip: string; readonly additionalIps: { readonly ip: string }[] };
  };
  readonly info: {
    readonly runtimeSpec: {
      readonly linux: { readonly namespaces: { readonly type: string; readonly path?: string }[] };
    };
  };
}

interface PortMapping {
  readonly host_port: number;
  readonly container_port: number;
}

/** What the runtime says of its state, by kind. */
export type Conditions = Readonly<Record<string, { readonly status: boolean; readonly message: string }>>;

/** What the cases of this suite work with. */
export interface ContainerdStage extends Stage {
  readonly daemon: Containerd;
  readonly cri: Cri;
  /** Of containerd, as in "2.4.2". */
  readonly version: string;
}

export class Cri {
  private readonly task: WorkerTask;
  private readonly daemon: Containerd;

  constructor(task: WorkerTask, daemon: Containerd) {
    this.task = task;
    this.daemon = daemon;
    mkdirSync(`${task.folder}/pods`);
  }

  /** Standard output of a crictl command. @throws CommandFailed */
  async run(words: readonly string[]): Promise<string> {
    return (await outputOf(this.command(words), { env: this.daemon.environment })).trim();
  }

  async ready(): Promise<void> {
    const isReady = async () => {
      const { RuntimeReady, NetworkReady } = await this.conditions().catch(() => ({}) as Conditions);
      return RuntimeReady?.status === true && NetworkReady?.status === true;
    };
    await eventually("the CRI is ready", isReady, { state: () => this.daemon.log() });
  }

  async addPod(name: string, ports: readonly PortMapping[] = []): Promise<Pod> {
    const id = await this.run(["runp", this.podFile(name, ports)]);
    const { status, info } = JSON.parse(await this.run(["inspectp", "-o", "json", id])) as Inspected;
    const addresses = [status.network.ip, ...status.network.additionalIps.map(({ ip }) => ip)];
    const [v4 = "", v6 = ""] = ["", ":"].map(
      (mark) => addresses.find((address) => address.includes(":") === (mark === ":")) ?? "",
    );
    const netns = info.runtimeSpec.linux.namespaces.find(({ type }) => type === "network")?.path ?? "";
    return { name, id, netns, v4, v6 };
  }

  /** A pod that is not expected to come up; the kubelet gives up after some seconds if told so. */
  failToAddPod(name: string, seconds?: number): Promise<Outcome> {
    const patience = seconds === undefined ? [] : ["--cancel-timeout", `${seconds}s`];
    const words = ["runp", ...patience, this.podFile(name, [])];
    return outcomeOf(this.command(words), { env: this.daemon.environment });
  }

  async removePod({ id }: Pick<Pod, "id">): Promise<void> {
    await this.run(["stopp", id]);
    await this.run(["rmp", id]);
  }

  /** Starts a command in a container of its own in the pod. */
  async startContainer({ name, id }: Pod, command: readonly string[]): Promise<string> {
    const config = {
      metadata: { name: `${name}-container` },
      image: { image: IMAGE },
      command,
      log_path: `${name}.log`,
      linux: {},
    };
    const file = `${this.task.folder}/pods/${name}-container.json`;
    writeFileSync(file, JSON.stringify(config));
    const container = await this.run([
      "create",
      "--no-pull",
      id,
      file,
      `${this.task.folder}/pods/${name}.json`,
    ]);
    await this.run(["start", container]);
    return container;
  }

  /** Standard output of a command in the pod's network, run by the host's programs. @throws CommandFailed */
  inside({ netns }: Pod, command: string): Promise<string> {
    return outputOf(["nsenter", `--net=${netns}`, "--", "/bin/sh", "-c", command]);
  }

  async removeAll(): Promise<void> {
    const ids = (await this.run(["pods", "-q"])).split("\n").filter((id) => id !== "");
    await Promise.all(ids.map((id) => this.removePod({ id })));
  }

  /** The conditions in the runtime's answer to Status, by type. */
  async conditions(): Promise<
    Readonly<Record<string, { readonly status: boolean; readonly message: string }>>
  > {
    const { status } = JSON.parse(await this.run(["info"])) as {
      status: { conditions: { type: string; status: boolean; message: string }[] };
    };
    return Object.fromEntries(status.conditions.map((condition) => [condition.type, condition]));
  }

  version(): Promise<string> {
    return this.run(["version"]);
  }

  private command(words: readonly string[]): string[] {
    const endpoint = `unix://${this.daemon.socket}`;
    const places = ["--runtime-endpoint", endpoint, "--image-endpoint", endpoint];
    return [`${this.task.places.crictl}/crictl`, ...places, "--timeout", "100s", ...words];
  }

  private podFile(name: string, ports: readonly PortMapping[]): string {
    const config = {
      metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
      hostname: name,
      log_directory: `${this.task.folder}/pods`,
      port_mappings: ports.map((port) => ({ protocol: 0, ...port })),
      linux: { cgroup_parent: `/${this.task.cgroup}` },
    };
    const file = `${this.task.folder}/pods/${name}.json`;
    writeFileSync(file, JSON.stringify(config));
    return file;
  }
}
