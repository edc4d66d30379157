/**
 * A node and its runtime: containers of one network, each call made by the reference's plugins or by ours. The runtime
 * keeps each ADD's result and sends it with CHECK and DEL, as runtimes do.
 */
import { callPlugin, type PluginOutcome } from "../../test/support/plugin-call.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import { hostVeths, leases, linkNamed, links, masqueraded } from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import type { Scene, ScratchCase } from "../scratch-lanes.ts";
import { BRIDGE, KEPT_BY_REFERENCE, NETWORK, type Network } from "./network.ts";

export type Who = "reference" | "ours";

export interface Container {
  readonly id: string;
  readonly namespace: NamedNamespace;
  readonly ifname: string;
  /** Of its ADD. */
  result: Result;
}

export interface Result {
  readonly cniVersion: string;
  readonly interfaces?: readonly { name: string; mac: string; sandbox?: string }[];
  readonly ips?: readonly { interface?: number; address: string; gateway?: string }[];
}

export interface CallOptions {
  /** CNI_NETNS instead of the namespace's path. */
  readonly netns?: string;
  /** The configuration instead of the node's. */
  readonly network?: Network;
  /** Whether prevResult goes along; true if left out. */
  readonly withResult?: boolean;
}

/** The address without its prefix length. */
export const bare = (address: string): string => address.replace(/\/.*/, "");

export class Node {
  readonly scene: Scene;
  readonly network: Network;
  /** Those that have their network now, by id. */
  readonly containers = new Map<string, Container>();
  private readonly folders: Partial<Record<Who, string>>;

  /** `folders` are searched in place of the usual ones. */
  constructor(scene: Scene, network: Network, folders: Partial<Record<Who, string>> = {}) {
    this.scene = scene;
    this.network = network;
    this.folders = folders;
  }

  /** Calls the bridge plugin for a container, whatever comes out. */
  call(who: Who, command: string, container: Container, options: CallOptions = {}): Promise<PluginOutcome> {
    const folder = this.folders[who] ?? this.scene.programs[who];
    const { netns = container.namespace.path, network = this.network, withResult = true } = options;
    const isLater = command !== "ADD" && withResult;
    const config = { ...network.config, ...(isLater && { prevResult: container.result }) };
    const { id: containerId, ifname } = container;
    return callPlugin("bridge", { command, containerId, netns, ifname, config }, folder);
  }

  /** ADDs by these sides in turn, of containers "c0", "c1", … */
  async addAll(...sides: readonly Who[]): Promise<Container[]> {
    const all: Container[] = [];
    for (const who of sides) all.push(await this.add(who, `c${all.length}`));
    return all;
  }

  /** A container that is not added yet; its namespace is made if there is none of that name. */
  async container(id: string, ifname = "eth0"): Promise<Container> {
    const other = [...this.containers.values()].find((container) => container.id === id);
    const namespace = other?.namespace ?? (await this.scene.host.addNamespace(id));
    return { id, namespace, ifname, result: { cniVersion: "" } };
  }

  /** ADD that has to succeed, and whose result has to be right. */
  async add(who: Who, id: string, ifname = "eth0"): Promise<Container> {
    const container = await this.container(id, ifname);
    return this.addTo(who, container);
  }

  async addTo(who: Who, container: Container): Promise<Container> {
    const { judge } = this.scene;
    const { id, ifname, namespace } = container;
    const outcome = await this.call(who, "ADD", container);
    judge.require(`ADD of ${id} by ${who}`, outcome.exitCode === 0, outcome.toString());
    container.result = outcome.json<Result>();
    this.containers.set(`${id} ${ifname}`, container);
    const { cniVersion, interfaces = [], ips = [] } = container.result;
    const link = await linkNamed(namespace, ifname);
    const own = interfaces.findIndex(({ name }) => name === ifname);
    judge.same(
      `result of ${id} by ${who}`,
      { cniVersion, own: interfaces[own], ips: ips.map((ip) => [ip.interface, ip.address, ip.gateway]) },
      {
        cniVersion: this.network.version,
        own: {
          name: ifname,
          mac: link?.mac,
          sandbox: namespace.path,
          ...(who === "ours" && this.network.version === "1.1.0" && { mtu: link?.mtu }),
        },
        ips: (link?.addresses ?? []).map((address, index) => [own, address, this.network.gateways[index]]),
      },
    );
    return container;
  }

  /** CHECK that has to pass. */
  async check(who: Who, container: Container, options?: CallOptions): Promise<void> {
    this.passes(`CHECK of ${container.id} by ${who}`, await this.call(who, "CHECK", container, options));
  }

  /** CHECK that has to fail with this. */
  async checkFails(who: Who, container: Container, message: RegExp): Promise<void> {
    const outcome = await this.call(who, "CHECK", container);
    const isRight = outcome.exitCode === 1 && message.test(outcome.stdout);
    const what = `CHECK of ${container.id} by ${who} fails`;
    this.scene.judge.holds(what, isRight, outcome.toString(), String(message));
  }

  /** DEL that has to succeed. */
  async del(who: Who, container: Container, options?: CallOptions): Promise<void> {
    this.passes(`DEL of ${container.id} by ${who}`, await this.call(who, "DEL", container, options));
    this.forget(container);
  }

  /** GC with these attachments, which has to succeed by ours. */
  async collect(what: string, who: Who, attachments: unknown): Promise<PluginOutcome> {
    const { config } = this.network;
    const lists = { "cni.dev/valid-attachments": attachments, "cni.dev/attachments": attachments };
    const call = { command: "GC", config: { ...config, ...lists } };
    const outcome = await callPlugin("bridge", call, this.scene.programs[who]);
    if (who === "ours") this.passes(what, outcome);
    return outcome;
  }

  private passes(what: string, outcome: PluginOutcome): void {
    const isRight = outcome.exitCode === 0 && outcome.stdout === "";
    this.scene.judge.holds(what, isRight, outcome.toString());
  }

  /**
   * Deletes a container's namespace without a DEL. The kernel takes the pair with it in its own time, which can be
   * seconds; here it goes first.
   */
  async endNamespace({ id, namespace, ifname }: Container): Promise<void> {
    await namespace.run(`ip link del ${ifname}`);
    await this.scene.host.run(`ip netns delete ${id}`);
  }

  forget({ id, ifname }: Container): void {
    this.containers.delete(`${id} ${ifname}`);
  }

  /** All that must be true at any time: of each container alone, of all together, and of the host. */
  async judgeAll(when: string): Promise<void> {
    const { judge, host } = this.scene;
    const all = [...this.containers.values()];
    const [hostLinks, veths, rules, ...ends] = await Promise.all([
      links(host),
      hostVeths(host),
      masqueraded(host),
      ...all.map(({ namespace, ifname }) => linkNamed(namespace, ifname)),
    ]);
    const owned = all.flatMap(({ id, ifname, result }, index) => {
      const addresses = (result.ips ?? []).map(({ address }) => address);
      judge.same(`${when}: addresses of ${id}`, ends[index]?.addresses, addresses);
      return addresses.map((address) => [bare(address), `${id} ${ifname}`] as const);
    });
    const addresses = owned.map(([address]) => address);
    judge.same(`${when}: addresses given twice`, addresses.length - new Set(addresses).size, 0);
    judge.same(`${when}: leases`, leases(NETWORK), Object.fromEntries(owned));
    const sources = addresses.map((source) => `${this.network.backend} ${source}`);
    const found = rules.map(({ backend, source }) => `${backend} ${source}`);
    judge.same(`${when}: masqueraded`, found.sort(), this.network.masquerades ? sources.sort() : []);
    const masters = veths.map(({ master, up }) => `${master} ${up}`);
    judge.same(
      `${when}: ports`,
      masters,
      all.map(() => `${BRIDGE} true`),
    );
    const bridge = hostLinks.find(({ name }) => name === BRIDGE);
    judge.same(
      `${when}: the bridge`,
      [bridge?.kind, bridge?.addresses],
      ["bridge", this.network.bridgeAddresses],
    );
  }
}

/** A case on a node of this network, beside a machine outside if it asks for one. */
export const nodeCase = (
  name: string,
  net: Network,
  body: (node: Node) => Promise<void>,
  { hasOutside = false, keeps = [] }: { hasOutside?: boolean; keeps?: readonly RegExp[] } = {},
): ScratchCase => ({
  name,
  keeps: [...KEPT_BY_REFERENCE, ...keeps],
  run: async (scene) => {
    const outside = hasOutside ? await Outside.open(scene.host) : undefined;
    try {
      await body(new Node(scene, net));
    } finally {
      await outside?.close();
    }
  },
});
