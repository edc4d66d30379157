/**
 * The host that one case works on: a network namespace for the host and one for each container, in the mounts of this
 * process (see test/support/isolation.ts). All paths and names are the same on both sides.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, outcomeOf } from "../../test/support/command.ts";
import { type Call, FILES, netnsPath, PLUGIN_PATH } from "./case.ts";

const HOST = "host";
/** Of the plugins. The tools are found as test/support/tools.ts provides them. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Folders that programs write into; `/run/netns` and the run's own files apart. */
const WRITTEN = ["/var/lib/cni", "/run"];
const OWN = ["/run/netns", "/run/parity", "/run/bridgehead", "/run/xtables.lock", "/run/mount"];

/** What the tools say, section by section: see capture(). */
export type Sections = Readonly<Record<string, string>>;

export interface FileFact {
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

/**
 * Duplicate address detection ends at once instead of after 1 to 2 s, so that every state can be taken when it has
 * come to rest; what a plugin sets and waits for stays the same.
 */
const FAST_IPV6 = `for s in all default; do
  echo 0 > /proc/sys/net/ipv6/conf/$s/router_solicitation_delay
  echo 0 > /proc/sys/net/ipv6/conf/$s/router_solicitations
  echo 0 > /proc/sys/net/ipv6/conf/$s/dad_transmits
done`;

/**
 * Waits, 3 s at most, until nothing moves any more: no address is tentative, no carrier on its way, and two looks at
 * addresses, routes and links show the same.
 */
const SETTLE = `before=
for i in $(seq 150); do
  now=$(printf 'addr show\\nroute show table all\\nlink show up\\n' | ip -6 -o -batch -)
  moving=
  case "$now" in *tentative*) moving=$(echo "$now" | grep tentative | grep -v dadfailed) ;; esac
  case "$now" in *@*LOWER_UP*)
    moving=$moving$(echo "$now" | grep LOWER_UP | grep -E '@.* state (DOWN|LOWERLAYERDOWN|UNKNOWN)') ;;
  esac
  [ "$now" = "$before" ] && [ -z "$moving" ] && break
  before=$now
  sleep 0.01
done`;

const section = (name: string, command: string) => `printf '\\n@@%s\\n' ${name}; ${command}`;

const SHARED = [
  section("addr", "ip -d -j addr"),
  section("route4", "ip -d -j -4 route show table all"),
  section("route6", "ip -d -j -6 route show table all"),
  section("neigh", "ip -j neigh show nud permanent"),
  section("rule4", "ip -j -4 rule"),
  section("rule6", "ip -j -6 rule"),
  section("nft", "nft -j list ruleset"),
  section(
    "sysctl",
    "grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4/ip_forward",
  ),
];
const OF_HOST = [
  section("port", "bridge -d -j link"),
  section("vlan", "bridge -d -j vlan"),
  section("fdb", "bridge -d -j fdb"),
  section("iptables", "iptables-save"),
  section("ip6tables", "ip6tables-save"),
];

export class ScratchHost {
  readonly #containers: readonly string[];

  private constructor(containers: readonly string[]) {
    this.#containers = containers;
  }

  static async open(containers: readonly string[]): Promise<ScratchHost> {
    const host = new ScratchHost(containers);
    mkdirSync(FILES, { recursive: true });
    const all = [HOST, ...containers];
    const script = [
      "set -e",
      ...all.map((name) => `ip netns add ${name}`),
      ...all.map((name) => `nsenter --net=/run/netns/${name} /bin/sh -c '${FAST_IPV6}'`),
      `nsenter --net=/run/netns/${HOST} /bin/sh -c 'ip link set lo up
        echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding'`,
    ];
    const outcome = await outcomeOf(script.join("\n"));
    if (outcome.exitCode !== 0) throw new Error(`cannot make a scratch host: ${outcome.stderr}`);
    return host;
  }

  /** Runs a shell script on the host. */
  run(script: string): Promise<Outcome> {
    return outcomeOf(this.#onHost(["/bin/sh", "-c", script]));
  }

  /** Calls a plugin with these bytes on stdin. */
  plugin(call: Call, stdin: string): Promise<Outcome> {
    const env = Object.entries({ CNI_COMMAND: call.command, PATH, ...call.env });
    const set = env.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    const command = this.#onHost([join(PLUGIN_PATH, call.plugin)]);
    return outcomeOf(command, { env: Object.fromEntries(set), stdin });
  }

  #onHost(words: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${HOST}`, "--", ...words];
  }

  /** All that the kernel and the file system have, once it has come to rest. */
  async capture(): Promise<RawState> {
    const places = [HOST, ...this.#containers];
    const present = places.filter((name) => isNamespace(netnsPath(name)));
    const scripts = present.map((name) => {
      const sections = name === HOST ? [...SHARED, ...OF_HOST] : SHARED;
      return `printf '\\n@@@%s\\n' ${name}
nsenter --net=/run/netns/${name} /bin/sh <<'END'\n${SETTLE}\n${sections.join("\n")}\nEND`;
    });
    const { stdout } = await outcomeOf(scripts.join("\n"));
    const byPlace = new Map(split(stdout, /^@@@(.*)$/m).map(([name, text]) => [name, sectionsOf(text)]));
    const host = byPlace.get(HOST);
    if (host === undefined) throw new Error("the scratch host's own namespace is gone");
    const containers = Object.fromEntries(this.#containers.map((name) => [name, byPlace.get(name)]));
    return { host, containers, files: Object.fromEntries(WRITTEN.flatMap(filesBelow)) };
  }

  /** Removes everything of this host. */
  async close(): Promise<void> {
    for (const name of readdirSync("/run/netns")) {
      await outcomeOf(["umount", "-l", netnsPath(name)]);
      rmSync(netnsPath(name), { recursive: true, force: true });
    }
    for (const path of [FILES, ...WRITTEN.flatMap((folder) => below(folder))]) {
      if (!OWN.includes(path)) rmSync(path, { recursive: true, force: true });
    }
  }
}

const isNamespace = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true && NSFS.has(statSync(path).dev);

/** The device number of the file system of namespaces. */
const NSFS = new Set([statSync("/proc/self/ns/net").dev]);

const sectionsOf = (text: string): Sections => Object.fromEntries(split(text, /^@@(.*)$/m));

/** Pairs of title and text. */
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
    if (OWN.includes(path)) return path === "/run/parity" ? filesBelow(FILES) : [];
    const status = lstatSync(path);
    const mode = (status.mode & 0o7777).toString(8);
    if (status.isDirectory()) return [[path, { kind: "folder", mode }], ...filesBelow(path)];
    if (status.isSymbolicLink()) return [[path, { kind: "link", mode, content: readlinkSync(path) }]];
    if (!status.isFile()) return [[path, { kind: "other", mode }]];
    return [[path, { kind: "file", mode, content: readFileSync(path, "latin1") }]];
  });
}
