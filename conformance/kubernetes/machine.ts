/**
 * A node as a machine: what a scratch host is to the machine that it is made on, a node is to the scratch host. Its network,
 * mounts, processes, name and control groups are its own. It can lose its power: then its files alone are left.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  type Command,
  type CommandOptions,
  type Outcome,
  outcomeOf,
  outputOf,
} from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { COMMAND_LIMIT } from "../../test/support/limits.ts";
import { cgroupMounts, makeCgroup, removeCgroups } from "../cgroups.ts";
import { startDaemon } from "../scratch-worker.ts";
import { CONTROL, LAN, type Place } from "./lan.ts";

/** Folders that a machine has for itself, and keeps without power. */
const KEPT = ["/etc", "/opt/cni", "/var/lib", "/var/log"];

/**
 * What the kubelet sets, for all of the kernel: it finds these files with the values that it wants, and the kernel keeps
 * its own.
 */
const SYSCTLS = {
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
} as const;

/** Started with its own name and a command: it goes into all groups of the node, and leaves its process id. */
const DAEMON = `for group in /sys/fs/cgroup/*/cgroup.procs; do echo 0 >"$group"; done
echo $$ >"/run/$0.pid"; exec "$@"`;

export class Machine {
  readonly name: string;
  readonly place: Place;
  /** Where its folders are; the same path inside and outside. */
  readonly folder: string;
  private readonly cgroup: string;
  private readonly environment: Readonly<Record<string, string>>;
  private power: Bun.Subprocess | undefined;
  private readonly daemons = new Map<string, Bun.Subprocess>();

  /** `cgroup` is the group that its own group is made in. Its programs get `environment`. */
  constructor(
    name: string,
    place: Place,
    folder: string,
    cgroup: string,
    environment: Readonly<Record<string, string>>,
  ) {
    this.name = name;
    this.place = place;
    this.folder = folder;
    this.cgroup = `${cgroup}/${name}`;
    this.environment = environment;
  }

  /** Makes its folders, as after the installation of an operating system. */
  async install(): Promise<void> {
    for (const path of KEPT) mkdirSync(this.pathOf(path), { recursive: true });
    await outputOf(["cp", "-a", "/etc/.", this.pathOf("/etc")]);
    this.write("/etc/hostname", `${this.name}\n`);
    for (const [name, value] of Object.entries(SYSCTLS)) {
      mkdirSync(dirname(`${this.folder}/sysctl/${name}`), { recursive: true });
      writeFileSync(`${this.folder}/sysctl/${name}`, `${value}\n`);
    }
  }

  /** Where a file in one of its own folders is, from outside. */
  pathOf(path: string): string {
    return `${this.folder}/root${path}`;
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.pathOf(path)), { recursive: true });
    writeFileSync(this.pathOf(path), text);
  }

  /** Switches it on, and puts it on the network of the nodes. */
  async start(): Promise<void> {
    const enter = makeCgroup(this.cgroup).map((group) => `echo $$ >${group}/cgroup.procs`);
    const namespaces = "--net --mount --propagation=private --uts --ipc --cgroup --pid --fork --kill-child";
    const script = ["set -e", ...enter, `exec unshare ${namespaces} --mount-proc /bin/sh -c "$0"`].join("\n");
    this.power = Bun.spawn(["/bin/sh", "-c", script, this.script()], {
      env: this.environment,
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(`${this.folder}/power.log`),
    });
    await eventually(`${this.name} is up`, () => this.answers(), {
      state: () => readFileSync(`${this.folder}/power.log`, "utf8"),
    });
    const { v4, v6 } = this.place;
    await outputOf(`set -e
      ip link add ${this.name} type veth peer name eth0 netns ${this.init()}
      ip link set ${this.name} master ${LAN} up`);
    await this.run(`set -e
      ip addr add ${v4}/24 dev eth0; ip addr add ${v6}/64 dev eth0 nodad
      ip link set eth0 up
      ip route add default via ${CONTROL.v4}; ip -6 route add default via ${CONTROL.v6}`);
  }

  /** Takes its power: all its processes end at once, and its network and mounts with them. */
  async stop(): Promise<void> {
    this.power?.kill("SIGKILL");
    await this.power?.exited;
    for (const daemon of this.daemons.values()) await daemon.exited;
    this.daemons.clear();
    // No machine has its groups of before when it starts again.
    await removeCgroups(this.cgroup);
    // The kernel takes the other end away in its own time.
    const listed = () => outputOf(["ip", "-j", "link"]);
    const isGone = async () => !(await listed()).includes(`"${this.name}"`);
    await eventually(`the wire of ${this.name} is gone`, isGone, { state: listed });
  }

  /** The command that runs `command` on it. */
  inside(command: Command): string[] {
    const words = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    return ["nsenter", "--target", this.init(), ...NAMESPACES, "--", ...words];
  }

  /** Standard output of a command on it. @throws CommandFailed */
  run(command: Command, options: CommandOptions = {}): Promise<string> {
    return outputOf(this.inside(command), { env: this.environment, ...options });
  }

  outcome(command: Command, options: CommandOptions = {}): Promise<Outcome> {
    return outcomeOf(this.inside(command), { env: this.environment, ...options });
  }

  /** The JSON document that a command prints on it. */
  async json<T>(command: Command): Promise<T> {
    return JSON.parse((await this.run(command)) || "[]") as T;
  }

  /** Starts a daemon, and waits until it answers. */
  async startDaemon(name: string, words: readonly string[], answers: () => Promise<boolean>): Promise<void> {
    const command = this.inside(["/bin/sh", "-c", DAEMON, name, ...words]);
    this.daemons.set(
      name,
      await startDaemon(command, this.environment, this.logOf(name), answers, COMMAND_LIMIT),
    );
  }

  /** Ends a daemon. What it has started lives on. */
  async stopDaemon(name: string, signal: "TERM" | "KILL"): Promise<void> {
    await this.run(`kill -${signal} $(cat /run/${name}.pid)`);
    await this.daemons.get(name)?.exited;
    this.daemons.delete(name);
  }

  logOf(name: string): string {
    return `${this.folder}/${name}.log`;
  }

  private async answers(): Promise<boolean> {
    if (this.power?.exitCode !== null) throw new Error(`${this.name} does not start`);
    if (this.children() === "") return false;
    return (await outcomeOf(this.inside(["test", "-e", "/run/up"]))).exitCode === 0;
  }

  /** Its process 1, as a process of the scratch host. */
  private init(): string {
    const id = this.children();
    if (id === "") throw new Error(`${this.name} is off`);
    return id;
  }

  private children(): string {
    const id = this.power?.pid;
    return readFileSync(`/proc/${id}/task/${id}/children`, "utf8").trim();
  }

  /** What its process 1 does. It stays a shell, which waits for processes that others have left. */
  private script(): string {
    return `set -e
      hostname ${this.name}
      mount -n -t tmpfs -o mode=755 tmpfs /run
      mkdir -p /run/netns /run/lock
      ${KEPT.map((path) => `mount -n --bind ${this.pathOf(path)} ${path}`).join("\n")}
      while umount -n --lazy --recursive /sys 2>/run/umount.log; do :; done
      mount -n -t sysfs sysfs /sys
      ${cgroupMounts()}
      ${Object.keys(SYSCTLS)
        .map((name) => `mount -n --bind ${this.folder}/sysctl/${name} /proc/sys/${name}`)
        .join("\n")}
      mount -n --make-rshared /
      ip link set lo up
      : >/run/up
      sleep infinity`;
  }
}

const NAMESPACES = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
