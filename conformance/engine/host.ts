/**
 * The host that one case works on: a network namespace for the host and one for each container, in the mounts of a lane
 * (test/support/lane.ts). All paths and names are the same on both sides.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type CommandOptions, type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { NamedNamespace } from "../../test/support/scratch-host.ts";
import { FILES, NOTES, netnsPath } from "./network.ts";

export const HOST = "host";
/** Of the plugins. The tools are found as test/support/tools.ts provides them. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** By its path: a case may take PATH away. */
const NSENTER = Bun.which("nsenter") ?? "nsenter";

/** Folders that programs write into; `/run/netns` and the run's own files apart. */
const WRITTEN = ["/var/lib/cni", "/run"];
const OWN = ["/run/netns", "/run/conformance", "/run/bridgehead", "/run/xtables.lock", "/run/mount"];

/** What the tools say, section by section. */
export type Sections = Readonly<Record<string, string>>;

interface FileFact {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly mode: string;
  readonly content?: string;
}

export interface RawState {
  readonly host: Sections;
  /** By name; undefined for a namespace that is gone. */
  readonly containers: Readonly<Record<string, Sections | undefined>>;
  readonly files: Readonly<Record<string, FileFact>>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Duplicate address detection ends at once instead of after 1 to 2 s; what a plugin sets and waits for stays the same. */
const FAST_IPV6 = `for s in all default; do
  echo 0 > /proc/sys/net/ipv6/conf/$s/router_solicitation_delay
  echo 0 > /proc/sys/net/ipv6/conf/$s/router_solicitations
  echo 0 > /proc/sys/net/ipv6/conf/$s/dad_transmits
done`;

const SHARED = {
  addr: "ip -d -j addr",
  route4: "ip -d -j -4 route show table all",
  route6: "ip -d -j -6 route show table all",
  neigh: "ip -j neigh show nud permanent",
  rule4: "ip -j -4 rule",
  rule6: "ip -j -6 rule",
  nft: "nft -j list ruleset",
  sysctl: "grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4/ip_forward",
};
const OF_HOST = {
  ...SHARED,
  port: "bridge -d -j link",
  vlan: "bridge -d -j vlan",
  fdb: "bridge -d -j fdb",
  iptables: "iptables-save",
  ip6tables: "ip6tables-save",
};

export class Host extends NamedNamespace {
  private readonly containers: readonly string[];

  private constructor(containers: readonly string[]) {
    super(HOST);
    this.containers = containers;
  }

  static async open(containers: readonly string[]): Promise<Host> {
    for (const folder of [FILES, NOTES]) mkdirSync(folder, { recursive: true });
    const host = new Host(containers);
    await Promise.all([HOST, ...containers].map((name) => host.addNamespace(name)));
    await host.run(`ip link set lo up
      echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding`);
    return host;
  }

  container(name: string): NamedNamespace {
    return new NamedNamespace(name);
  }

  async addNamespace(name: string): Promise<NamedNamespace> {
    const namespace = new NamedNamespace(name);
    await outputOf(["ip", "netns", "add", name]);
    await namespace.run(FAST_IPV6);
    return namespace;
  }

  /** Runs a program on the host to its end, with this environment beside PATH and nothing else. */
  call(words: readonly string[], environment: Environment, options: CommandOptions = {}): Promise<Outcome> {
    return outcomeOf(this.onHost(words), { ...options, env: variables(environment) });
  }

  /**
   * The same with a standard input that stays open and gives nothing: a socket. Killed after `limit` milliseconds,
   * which the exit code 137 tells.
   */
  async callSilent(words: readonly string[], environment: Environment, limit = 10_000): Promise<Outcome> {
    const child = Bun.spawn(this.onHost(words), {
      env: variables(environment),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      timeout: limit,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    await child.stdin.end();
    return { command: words.join(" "), exitCode, stdout, stderr };
  }

  private onHost(words: readonly string[]): string[] {
    return [NSENTER, `--net=${this.path}`, "--", ...words];
  }

  /** All that the kernel and the file system have, once it has come to rest. */
  async capture(): Promise<RawState> {
    const places = [HOST, ...this.containers].filter((name) => isNamespace(netnsPath(name)));
    await Promise.all(places.map(atRest));
    const scripts = places.map((name) => {
      const sections = Object.entries(name === HOST ? OF_HOST : SHARED);
      const lines = sections.map(([title, command]) => `printf '\\n@@%s\\n' ${title}; ${command}`);
      return `printf '\\n@@@%s\\n' ${name}
nsenter --net=${netnsPath(name)} /bin/sh <<'END'\n${lines.join("\n")}\nEND`;
    });
    const { stdout } = await outcomeOf(scripts.join("\n"));
    const byPlace = new Map(
      split(stdout, /^@@@(.*)$/m).map(([name, text]) => [
        name,
        Object.fromEntries(split(text, /^@@(.*)$/m)) as Sections,
      ]),
    );
    const host = byPlace.get(HOST);
    if (host === undefined) throw new Error("the scratch host's own namespace is gone");
    const containers = Object.fromEntries(this.containers.map((name) => [name, byPlace.get(name)]));
    return { host, containers, files: Object.fromEntries(WRITTEN.flatMap(filesBelow)) };
  }

  /** Removes all namespaces but the host's own: at once for whoever looks, in the kernel's own time for it. */
  async removeContainers(): Promise<void> {
    for (const name of readdirSync("/run/netns").filter((other) => other !== HOST)) await remove(name);
  }

  async close(): Promise<void> {
    await this.removeContainers();
    await remove(HOST);
    for (const path of [FILES, NOTES, ...WRITTEN.flatMap(below)])
      if (!OWN.includes(path)) rmSync(path, { recursive: true, force: true });
  }
}

async function remove(namespace: string): Promise<void> {
  await outcomeOf(["umount", "-l", netnsPath(namespace)]);
  rmSync(netnsPath(namespace), { recursive: true, force: true });
}

interface ShownLink {
  readonly ifname?: string;
  /** Of one end of a pair. */
  readonly link_index?: number;
  readonly flags: readonly string[];
  readonly operstate: string;
  readonly addr_info: readonly {
    readonly family: string;
    readonly local: string;
    readonly tentative?: boolean;
    readonly dadfailed?: boolean;
  }[];
}

/**
 * Waits until the kernel has nothing left to do: what follows from a carrier (state, link-local address) is there, and
 * each address of IPv6 has come to rest, which its own route shows. Two looks must be the same.
 */
async function atRest(name: string): Promise<void> {
  let before = "";
  let moving: readonly string[] = [];
  const look = async () => {
    const stdin = "addr show up\nroute show table local\n";
    const now = await outputOf([NSENTER, `--net=${netnsPath(name)}`, "ip", "-j", "-6", "-batch", "-"], {
      stdin,
    });
    const links = await outputOf([NSENTER, `--net=${netnsPath(name)}`, "ip", "-j", "addr", "show", "up"]);
    const routes = now.trim().split("\n").at(-1) ?? "[]";
    moving = movingIn(JSON.parse(links) as ShownLink[], JSON.parse(routes) as { dst?: string }[]);
    const isSame = now + links === before;
    before = now + links;
    return moving.length === 0 && isSame;
  };
  await eventually(`the namespace ${name} is at rest`, look, { state: () => moving });
}

function movingIn(links: readonly ShownLink[], routes: readonly { dst?: string }[]): string[] {
  const local = new Set(routes.map(({ dst }) => dst));
  const withCarrier = links.filter(({ ifname, flags }) => ifname !== undefined && flags.includes("LOWER_UP"));
  return withCarrier.flatMap(({ ifname, link_index, operstate, addr_info }) => [
    // A bridge that has had a carrier from its beginning stays UNKNOWN, as lo does.
    ...(operstate === "UP" || (operstate === "UNKNOWN" && link_index === undefined)
      ? []
      : [`${ifname} is ${operstate}`]),
    ...addr_info
      .filter(({ family, dadfailed }) => family === "inet6" && dadfailed !== true)
      .filter(({ local: address, tentative }) => tentative === true || !local.has(address))
      .map(({ local: address }) => `${address} on ${ifname}`),
  ]);
}

const isNamespace = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true && NSFS.has(statSync(path).dev);

/** The device number of the file system of namespaces. */
const NSFS = new Set([statSync("/proc/self/ns/net").dev]);

function variables(environment: Environment): Record<string, string> {
  const set = Object.entries({ PATH, ...environment });
  return Object.fromEntries(set.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function split(text: string, title: RegExp): [string, string][] {
  const parts = text.split(title).slice(1);
  return parts.flatMap((part, index) => (index % 2 === 0 ? [[part, parts[index + 1] ?? ""]] : []));
}

function below(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function filesBelow(folder: string): [string, FileFact][] {
  return below(folder).flatMap((path): [string, FileFact][] => {
    if (OWN.includes(path)) return path === "/run/conformance" ? filesBelow(FILES) : [];
    const status = lstatSync(path);
    const mode = (status.mode & 0o7777).toString(8);
    if (status.isDirectory()) return [[path, { kind: "folder", mode }], ...filesBelow(path)];
    if (status.isSymbolicLink()) return [[path, { kind: "link", mode, content: readlinkSync(path) }]];
    if (!status.isFile()) return [[path, { kind: "other", mode }]];
    return [[path, { kind: "file", mode, content: readFileSync(path, "latin1") }]];
  });
}
