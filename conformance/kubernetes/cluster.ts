/** The cluster that the cases of this suite work with. */
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf, outputOf } from "../../test/support/command.ts";
import { JOB_LIMIT } from "../../test/support/limits.ts";
import { writeImage } from "../containerd/image.ts";
import { coverOpt } from "../containerd/plugin-folder.ts";
import { hostEnvironment, type Stage } from "../scratch-worker.ts";
import { ControlPlane } from "./control-plane.ts";
import { makeLan, NODES } from "./lan.ts";
import { Machine } from "./machine.ts";
import { IMAGE, Node } from "./node.ts";
import { sections } from "./page.ts";

const PROJECT = join(import.meta.dir, "../..");

/** Milliseconds for what a cluster does with many pods. */
const LONG = JOB_LIMIT / 3;

const CRI = "unix:///run/containerd/containerd.sock";

export class Cluster {
  readonly control: ControlPlane;
  readonly nodes: readonly Node[];
  readonly stage: Stage;
  /** Headings of docs/kubernetes.md whose commands have been run. */
  readonly pageRun = new Set<string>();
  /** Where whoever follows the page has the project's files, and those that they make. */
  private readonly desk: string;
  private readonly environment: Readonly<Record<string, string>>;

  private constructor(
    stage: Stage,
    control: ControlPlane,
    nodes: readonly Node[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.stage = stage;
    this.control = control;
    this.nodes = nodes;
    this.environment = environment;
    this.desk = `${stage.task.folder}/desk`;
    mkdirSync(this.desk);
    symlinkSync(join(PROJECT, "deploy"), join(this.desk, "deploy"));
    const { images = "" } = stage.task.places;
    for (const name of readdirSync(images)) symlinkSync(join(images, name), join(this.desk, name));
  }

  /** Starts it without any network: nodes that run, and are not ready. */
  static async start(stage: Stage): Promise<Cluster> {
    const { task, root } = stage;
    const { containerd = "", kubernetes = "" } = task.places;
    const { PATH, ...rest } = hostEnvironment(task);
    const environment = { ...rest, PATH: `${kubernetes}:${containerd}:${PATH}` };
    await coverOpt(task);
    await makeLan();
    mkdirSync(`${task.folder}/control`);
    const control = new ControlPlane(`${task.folder}/control`, kubernetes, environment);
    const archive = `${task.folder}/busybox.tar`;
    await writeImage(root, IMAGE, archive);
    const nodes = Object.entries(NODES).map(([name, place]) => {
      const machine = new Machine(name, place, `${task.folder}/${name}`, task.cgroup, environment);
      return new Node(machine, { containerd, kubernetes });
    });
    const cluster = new Cluster(stage, control, nodes, { ...environment, KUBECONFIG: control.kubeconfig });
    await control.start();
    await cluster.onEach(async (node) => {
      await node.install();
      await node.boot();
      await node.importImage(archive);
      await node.namePause();
      await node.startKubelet();
      await node.startProxy("iptables");
    });
    return cluster;
  }

  /** Does the same on all nodes at once. */
  async onEach<T>(work: (node: Node) => Promise<T>): Promise<T[]> {
    return Promise.all(this.nodes.map(work));
  }

  node(name: string): Node {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** The command that starts crictl on a node. */
  crictl(): string[] {
    return [`${this.stage.task.places.crictl}/crictl`, "--runtime-endpoint", CRI];
  }

  /** Standard output of a kubectl command. @throws CommandFailed */
  kubectl(words: readonly string[], stdin?: string): Promise<string> {
    return outputOf(["kubectl", ...words], {
      env: this.environment,
      cwd: this.desk,
      timeout: LONG,
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  /** What kubectl lists, as its JSON has it. */
  async list<T>(words: readonly string[]): Promise<T[]> {
    return (JSON.parse(await this.kubectl(["get", "-o", "json", ...words])) as { items: T[] }).items;
  }

  async apply(manifests: readonly object[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: manifests };
    await this.kubectl(["apply", "-f", "-"], JSON.stringify(list));
  }

  /** Runs the commands that docs/kubernetes.md has below a heading. Returns what they print. */
  async page(title: string, nodes = this.nodes): Promise<string> {
    const section = sections().find((found) => found.title === title);
    if (section === undefined) throw new Error(`docs/kubernetes.md has no commands below "${title}"`);
    this.pageRun.add(title);
    const printed: string[] = [];
    for (const script of section.scripts) {
      const text = `set -e\n${script}`;
      if (section.onEachNode) {
        const there = (node: Node) => node.machine.run(`cd ${this.desk}\n${text}`, { timeout: LONG });
        printed.push(...(await Promise.all(nodes.map(there))));
      } else printed.push(await outputOf(text, { env: this.environment, cwd: this.desk, timeout: LONG }));
    }
    return printed.join("");
  }

  /** What helps to find out why a case has failed. */
  async explain(): Promise<string[]> {
    const shown = await outcomeOf(
      `kubectl get nodes,pods -A -o wide
      kubectl get events -A --sort-by=.lastTimestamp | tail -n 25`,
      { env: this.environment },
    );
    return `${shown.stdout}${shown.stderr}`.split("\n");
  }
}
