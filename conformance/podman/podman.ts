/** Podman with folders of its own, and looks at what it made. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { settingsOf } from "../../test/support/runtimes-page.ts";
import { HTTPD } from "../busybox.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import { hostEnvironment } from "../scratch-worker.ts";

const IMAGE = "localhost/busybox:latest";

const LEASES = "/var/lib/cni/networks";

/** One network of a container, as `podman inspect` has it. */
export interface Attachment {
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly IPv6Gateway: string;
  readonly MacAddress: string;
}

/** A link of a container, as `ip -j addr` has it. */
export interface Link {
  readonly ifname: string;
  readonly address: string;
  readonly mtu: number;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

export class Podman {
  /** Of the configurations of networks. */
  readonly netD: string;
  private readonly environment: Readonly<Record<string, string>>;
  /** For --cgroup-parent. */
  readonly cgroup: string;

  private constructor(environment: Readonly<Record<string, string>>, folder: string, cgroup: string) {
    this.netD = `${folder}/net.d`;
    this.environment = environment;
    this.cgroup = cgroup;
  }

  /** Writes the configuration, and makes an image of a root file system. */
  static async prepare(task: WorkerTask, root: string): Promise<Podman> {
    const folder = `${task.folder}/podman`;
    mkdirSync(`${folder}/net.d`, { recursive: true });
    // The folders of docs/runtimes.md stand for those of the programs under test.
    const network = settingsOf("Podman", "toml")
      .join("")
      .replace("/opt/cni/bin", task.binaries)
      .replace("/usr/lib/cni", task.places.neighbours ?? "");
    const containers = `[containers]
default_ulimits = []
log_driver = "k8s-file"
${network}network_config_dir = "${folder}/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
`;
    const storage = `[storage]
driver = "vfs"
graphroot = "${folder}/graph"
runroot = "${folder}/run"
`;
    writeFileSync(`${folder}/containers.conf`, containers);
    writeFileSync(`${folder}/storage.conf`, storage);
    const environment = {
      ...hostEnvironment(task),
      CONTAINERS_CONF: `${folder}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${folder}/storage.conf`,
    };
    await outputOf(`tar -C ${root} -c . | podman import - ${IMAGE}`, { env: environment });
    return new Podman(environment, folder, `/${task.cgroup}`);
  }

  async version(): Promise<string> {
    const format = "Podman {{.Version.Version}}, {{.Host.NetworkBackend}}, {{.Host.OCIRuntime.Name}}";
    return this.run("info", "--format", format);
  }

  /** Standard output of a podman command, without the newline at its end. @throws CommandFailed */
  async run(...words: readonly string[]): Promise<string> {
    return (await outputOf(["podman", ...words], { env: this.environment })).trimEnd();
  }

  /** The same, whatever its exit code. */
  outcome(...words: readonly string[]): Promise<Outcome> {
    return outcomeOf(["podman", ...words], { env: this.environment });
  }

  /** The words that start a container in the background, which tells its name and who asks: see busybox.ts. */
  startWords(name: string, options: readonly string[] = [], command: readonly string[] = HTTPD): string[] {
    const own = ["--name", name, "--ulimit", "host", "--cgroup-parent", this.cgroup];
    // In a pod it has the pod's.
    const hostname = options.includes("--pod") ? [] : ["--hostname", name];
    return ["run", "-d", ...own, ...hostname, ...options, IMAGE, ...command];
  }

  /** Starts a container; a web server is ready when this returns. */
  async start(
    name: string,
    options: readonly string[] = [],
    command: readonly string[] = HTTPD,
  ): Promise<void> {
    await this.run(...this.startWords(name, options, command));
    if (command === HTTPD) await this.ready(name);
  }

  /** Waits until the web server of a container listens. */
  async ready(name: string): Promise<void> {
    const pid = await this.run("inspect", name, "--format", "{{.State.Pid}}");
    // Port 80 in state LISTEN.
    const listens = () => /:0050 \S+ 0A /.test(readFileSync(`/proc/${pid}/net/tcp6`, "utf8"));
    await eventually(`${name} listens`, listens);
  }

  async startPod(name: string, options: readonly string[]): Promise<void> {
    const own = ["--name", name, "--cgroup-parent", this.cgroup];
    const infra = ["--infra-image", IMAGE, "--infra-command", "/bin/sleep 1000"];
    await this.run("pod", "create", ...own, ...infra, ...options);
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.run("rm", "-f", "-t", "0", ...names);
  }

  async removeAll(): Promise<void> {
    await this.run("pod", "rm", "-af", "-t", "0");
    await this.run("rm", "-af", "-t", "0");
    await this.run("network", "prune", "-f");
  }

  /** Standard output of a command in a container. @throws CommandFailed */
  inside(name: string, words: readonly string[]): Promise<string> {
    return this.run("exec", name, ...words);
  }

  /** What podman took from the result of the plugins. */
  async attachment(name: string, network: string): Promise<Attachment> {
    const networks = JSON.parse(
      await this.run("inspect", name, "--format", "{{json .NetworkSettings.Networks}}"),
    ) as Record<string, Attachment>;
    const found = networks[network];
    if (found === undefined) throw new Error(`${name} is not in ${network}: ${JSON.stringify(networks)}`);
    return found;
  }

  /** Runs the host's `ip` in the namespace of a container. */
  async ip(name: string, words: string): Promise<string> {
    const netns = await this.run("inspect", name, "--format", "{{.NetworkSettings.SandboxKey}}");
    return outputOf(`nsenter --net=${netns} -- ip ${words}`);
  }

  /** The links of a container without lo, as the kernel has them. */
  async links(name: string): Promise<Link[]> {
    const links = JSON.parse(await this.ip(name, "-j addr")) as Link[];
    return links.filter(({ ifname }) => ifname !== "lo");
  }
}

export function leases(network: string): string[] {
  const names = readdirSync(LEASES).includes(network) ? readdirSync(`${LEASES}/${network}`) : [];
  return names.filter((name) => /^[\da-f]+[.:]/.test(name) && !name.startsWith("last_"));
}

export async function portsOf(bridge: string): Promise<number> {
  return (JSON.parse(await outputOf(`ip -j link show master ${bridge}`)) as unknown[]).length;
}
