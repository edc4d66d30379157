/** A scratch host in the state that a scenario starts from: calls on it, looks at it, and the way back to that state. */
import { readdirSync, readFileSync } from "node:fs";
import { outcomeOf, outputOf } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type HostState, hostState } from "../support/host-state.ts";
import { keptBridge, keptForwarding, keptIptablesChains, keptLeaseFolder } from "../support/leftovers.ts";
import { restoreHost } from "../support/scratch-host.ts";
import { stateDifference } from "../support/state-difference.ts";
import { Calls } from "./calls.ts";
import { setTraps } from "./children.ts";
import type { Problem } from "./job.ts";
import { BRIDGE, NEIGHBOUR, NETWORK, portsOf, type Scenario, SUBJECT } from "./scenario.ts";

/** The table that masquerading uses for all attachments, without any rule of one. */
const SKELETON: readonly RegExp[] = [
  /^nft \{"table":\{"family":"inet","name":"cni_plugins_masquerade"/,
  /^nft \{"chain":\{"family":"inet","table":"cni_plugins_masquerade"/,
  /^nft \{"rule":\{"family":"inet","table":"cni_plugins_masquerade","chain":"postrouting"/,
];

/** What stays whatever happens: the IPAM's own files, and the empty tables of iptables. */
const KEPT = [
  ...keptIptablesChains,
  ...keptLeaseFolder(NETWORK),
  // The folder in which tuning saves settings.
  /^file \/run\/cni\/(tuning\/)? /,
];

/** What stays by design after the last DEL on a host that was bare; an ADD that fails takes it back. */
const STAYS = [...keptBridge(BRIDGE), ...keptForwarding];

export class Scene extends Calls {
  readonly #bare: HostState;
  #neighbour = "";
  #start: HostState = [];

  private constructor(scenario: Scenario, options: SceneOptions) {
    super(scenario, options);
    this.#bare = options.bare;
  }

  /** @throws Error when the neighbour's ADD fails: then nothing can be said. */
  static async open(scenario: Scenario, options: SceneOptions): Promise<Scene> {
    const scene = new Scene(scenario, options);
    setTraps(scenario, options.binaries);
    for (const name of [NEIGHBOUR, SUBJECT]) await addNetns(name);
    if (scenario.neighbour) {
      const added = await scene.call("ADD", NEIGHBOUR);
      if (added.exitCode !== 0)
        throw new Error(`${scenario.name}: the neighbour's ADD failed: ${added.stdout}${added.stderr}`);
      scene.#neighbour = added.stdout;
    }
    scene.#start = await restingState();
    return scene;
  }

  async close(): Promise<void> {
    for (const name of readdirSync("/run/netns")) await outcomeOf(["ip", "netns", "delete", name]);
    await restoreHost(this.#bare);
  }

  /** Whether ports of containers are published. */
  get #publishes(): boolean {
    return this.scenario.chain.some(({ type }) => type === "portmap");
  }

  /** Sends a packet to the subject's UDP port by each family, so that there are flows which its DEL must end (M50). */
  async makeFlows(): Promise<void> {
    if (!this.#publishes) return;
    for (const address of ["10.77.0.1", "fd77::1"])
      await outputOf(["bash", "-c", `echo >/dev/udp/${address}/${portsOf(SUBJECT)[0]?.hostPort}`]);
    const { length } = await this.#flows();
    if (length !== 2) throw new Error(`${length} flows to the published port instead of 2`);
  }

  /** Flows that lead to the subject's port. */
  async #flows(): Promise<string[]> {
    if (!this.#publishes) return [];
    const port = new RegExp(` sport=${portsOf(SUBJECT)[0]?.containerPort} `);
    const lists = ["ipv4", "ipv6"].map((family) => outputOf(["conntrack", "-L", "-p", "udp", "-f", family]));
    const lines = (await Promise.all(lists)).flatMap((text) => text.split("\n"));
    return lines.filter((line) => port.test(line)).map((line) => `+ flow ${line}`);
  }

  /** Whether containers reach what listens on 127.0.0.1 of the host (M53): the setting of a bridge that stays, without the guard. */
  async #unguarded(): Promise<string[]> {
    if (!this.#publishes) return [];
    const setting = await outcomeOf(["cat", `/proc/sys/net/ipv4/conf/${BRIDGE}/route_localnet`]);
    const guard = await outcomeOf(["nft", "list", "table", "ip", "cni_hostport_guard"]);
    const isOpen = setting.stdout.trim() === "1" && !guard.stdout.includes(BRIDGE);
    return isOpen ? [`+ route_localnet of ${BRIDGE} is 1 without the guard of 127.0.0.0/8`] : [];
  }

  /** What tuning changes of a container's interface. */
  async insideOf(id: string): Promise<string> {
    const inside = ["ip", "netns", "exec", id];
    const [link = {}] = JSON.parse(await outputOf(["ip", "-n", id, "-d", "-j", "link", "show", "eth0"])) as [
      Record<string, unknown>?,
    ];
    const { address, mtu, promiscuity, txqlen } = link;
    const setting = await outputOf([...inside, "cat", "/proc/sys/net/ipv4/conf/eth0/arp_filter"]);
    return JSON.stringify({ address, mtu, promiscuity, txqlen, arp_filter: setting.trim() });
  }

  /** Waits until nothing runs any more that a killed plugin has started. */
  async awaitOrphans(): Promise<void> {
    if (this.scenario.children.length === 0) return;
    await eventually("the end of orphans", () => !programsRun());
  }

  /**
   * What is not as at the start. `skeleton`: empty tables may be there, which the next attachment uses. `resting`: the
   * kernel takes away the links of a namespace in its own time, and is given that time; for routes and the like it needs
   * a moment. `undone`: after an ADD that has failed, and not after a DEL.
   */
  async leftovers(options: { skeleton: boolean; resting?: boolean; undone?: boolean }): Promise<Problem[]> {
    const mayDiffer = [
      // The container's own end, which the runtime makes and takes away.
      new RegExp(`^namespace ${SUBJECT}$`),
      ...KEPT,
      ...(this.scenario.neighbour || options.undone === true ? [] : STAYS),
      ...(options.skeleton ? SKELETON : []),
    ];
    const look = async () => [
      ...stateDifference(this.#start, await hostState(), mayDiffer),
      ...(await this.#flows()),
      ...(await this.#unguarded()),
    ];
    let difference = await look();
    const end = performance.now() + (options.resting === true ? 2000 : 300);
    while (difference.length > 0 && performance.now() < end) {
      await Bun.sleep(20);
      difference = await look();
    }
    return difference.map((line) => ({ what: kindOf(line), text: line.slice(0, 300) }));
  }

  /** Whether the empty tables are there although no attachment has a rule in them. */
  async hasEmptySkeleton(): Promise<boolean> {
    if (this.scenario.neighbour) return false;
    return (await hostState()).some((line) => SKELETON.some((pattern) => pattern.test(line)));
  }

  /** CHECK of the neighbour, and a ping from it to its gateway. */
  async neighbourProblems(): Promise<Problem[]> {
    if (!this.scenario.neighbour) return [];
    const check = await this.call("CHECK", NEIGHBOUR, { prevResult: this.#neighbour });
    const ping = await outcomeOf([
      ...["nsenter", `--net=/run/netns/${NEIGHBOUR}`, "ping", "-c1", "-W5", "-q", "10.77.0.1"],
    ]);
    return [
      ...(check.exitCode === 0
        ? []
        : [{ what: "neighbour", text: `CHECK of the neighbour: ${check.stdout}` }]),
      ...(ping.exitCode === 0
        ? []
        : [{ what: "neighbour", text: `the neighbour does not reach its gateway: ${ping.stdout}` }]),
    ];
  }

  /** Addresses of the neighbour, as its result has them. */
  neighbourAddresses(): string[] {
    return this.#neighbour === "" ? [] : addressesOf(this.#neighbour);
  }
}

export interface SceneOptions {
  readonly binaries: string;
  readonly reference: boolean;
  /** The state of the scratch host without anything on it. */
  readonly bare: HostState;
}

export async function addNetns(name: string): Promise<void> {
  await outputOf(["ip", "netns", "add", name]);
  await outputOf(["ip", "-n", name, "link", "set", "lo", "up"]);
  await withoutWaiting(["ip", "netns", "exec", name]);
}

/** The state when it moves no more: routes of IPv6 addresses come a moment after these. */
async function restingState(): Promise<HostState> {
  let before = await hostState();
  return eventually("a host at rest", async () => {
    await Bun.sleep(20);
    const now = await hostState();
    const rests =
      stateDifference(before, now).length === 0 && !now.some((line) => line.includes("tentative"));
    before = now;
    return rests && now;
  });
}

/** Duplicate address detection ends at once, so that states can be compared as soon as a plugin has ended. */
export const withoutWaiting = (inside: readonly string[] = []): Promise<string> =>
  outputOf([
    ...inside,
    ...["sysctl", "-qw", "net.ipv6.conf.all.dad_transmits=0", "net.ipv6.conf.default.dad_transmits=0"],
  ]);

/** The addresses of a result: "10.77.0.2/24". */
export const addressesOf = (result: string): string[] =>
  (JSON.parse(result) as { ips?: { address: string }[] }).ips?.map(({ address }) => address) ?? [];

const NAMES = /^(bridge|firewall|host-local|portmap|strace|tuning|ip6?tables|xtables)/;

/** Whether any program of a plugin runs among the processes of this scratch host. */
function programsRun(): boolean {
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const comm = readFileSync(`/proc/${name}/comm`, "utf8");
      return NAMES.test(comm) && !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${name}/stat`, "utf8"));
    } catch {
      return false;
    }
  });
}

/** A word for a line of a difference. */
function kindOf(line: string): string {
  if (line.startsWith("- ")) return "lost";
  if (/^\+ (link|port|fdb|vlan) /.test(line)) return "link";
  if (/^\+ (nft|ip6?tables)/.test(line)) return "rule";
  if (/^\+ file .*\/networks\//.test(line)) return "lease";
  if (/^\+ file .*\/tuning\//.test(line)) return "saved settings";
  if (line.startsWith("+ flow ")) return "flow";
  if (line.startsWith("+ route_localnet ")) return "no guard";
  if (/^\+ (address|route|neighbour) /.test(line)) return "address";
  return "other";
}
