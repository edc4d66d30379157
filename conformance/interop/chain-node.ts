/**
 * A node whose runtime calls nerdctl's chain: bridge, portmap, firewall and tuning. Each plugin of each call is of either
 * side. The runtime keeps the result of ADD, and sends it with CHECK and DEL, as libcni does.
 */
import { outcomeOf } from "../../test/support/command.ts";
import { callPlugin, type PluginOutcome } from "../../test/support/plugin-call.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import { linkNamed } from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import type { Scene } from "../scratch-lanes.ts";
import { ask, startTcpServer } from "../tcp.ts";
import { type Backend, NETWORK, network } from "./network.ts";
import { bare, type Result, type Who } from "./node.ts";

const PLUGINS = ["bridge", "portmap", "firewall", "tuning"] as const;
export type ChainPlugin = (typeof PLUGINS)[number];

/** Whose each plugin is. */
export type Sides = Readonly<Record<ChainPlugin, Who>>;

export const all = (who: Who): Sides => ({ bridge: who, portmap: who, firewall: who, tuning: who });

/** Each plugin alone by one side, and the others by the other one. */
export const MIXES: readonly (readonly [name: string, sides: Sides])[] = PLUGINS.flatMap((plugin) => [
  [`${plugin} alone by ours`, { ...all("reference"), [plugin]: "ours" }] as const,
  [`${plugin} alone by the reference`, { ...all("ours"), [plugin]: "reference" }] as const,
]);

/** A container with a server, which tells its name at its port of the host. */
export interface Member {
  readonly id: string;
  readonly namespace: NamedNamespace;
  readonly hostPort: number;
  readonly addresses: readonly string[];
  readonly result: Result;
  readonly server: AsyncDisposable;
}

/** Of the documents of `bridgehead ports` and `bridgehead show`. */
interface PublishedPort {
  readonly hostPort: number;
  readonly containerID: string | null;
  readonly network: string | null;
  readonly address: string;
  readonly state: string;
  readonly openToAll: boolean;
}

interface ShownNetwork {
  readonly bridges: readonly {
    readonly ports: readonly {
      readonly namespace: { readonly netns: string; readonly addresses: readonly string[] } | null;
      readonly attachment: {
        readonly containerID: string;
        readonly ports: readonly PublishedPort[];
      } | null;
    }[];
  }[];
  readonly others: readonly unknown[];
}

const MTU = 1400;

export class ChainNode {
  readonly scene: Scene;
  readonly members = new Map<string, Member>();
  private readonly outside: Outside;
  private readonly backend: Backend;
  private nextPort = 8081;

  constructor(scene: Scene, outside: Outside, backend: Backend) {
    this.scene = scene;
    this.outside = outside;
    this.backend = backend;
  }

  /** The configuration of a plugin, as libcni makes it of the list. */
  private configOf(plugin: ChainPlugin, hostPort: number, prevResult: Result | undefined): object {
    const { config } = network({ version: "1.0.0", families: [4, 6], backend: this.backend });
    const { cniVersion, name } = config;
    const keys = {
      bridge: { ...config, hairpinMode: true },
      portmap: {
        backend: this.backend,
        capabilities: { portMappings: true },
        runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: "tcp", hostIP: "" }] },
      },
      firewall: { ingressPolicy: "same-bridge", backend: "iptables" },
      tuning: { mtu: MTU },
    }[plugin];
    return { cniVersion, name, type: plugin, ...keys, ...(prevResult !== undefined && { prevResult }) };
  }

  private async call(
    plugin: ChainPlugin,
    who: Who,
    command: string,
    { id, namespace, hostPort }: Pick<Member, "id" | "namespace" | "hostPort">,
    prevResult?: Result,
  ): Promise<PluginOutcome> {
    const outcome = await callPlugin(
      plugin,
      {
        command,
        containerId: id,
        netns: namespace.path,
        ifname: "eth0",
        config: this.configOf(plugin, hostPort, prevResult),
      },
      this.scene.programs[who],
    );
    this.scene.judge.require(
      `${command} of ${id} by ${plugin} of ${who}`,
      outcome.exitCode === 0,
      outcome.toString(),
    );
    return outcome;
  }

  async add(sides: Sides, id: string): Promise<Member> {
    const { host, judge } = this.scene;
    const namespace = await host.addNamespace(id);
    const hostPort = this.nextPort++;
    let result: Result | undefined;
    for (const plugin of PLUGINS) {
      const outcome = await this.call(plugin, sides[plugin], "ADD", { id, namespace, hostPort }, result);
      result = outcome.json<Result>();
    }
    const { ips = [] } = result ?? {};
    const addresses = ips.map(({ address }) => bare(address));
    const link = await linkNamed(namespace, "eth0");
    judge.same(`eth0 of ${id}`, [link?.addresses.map(bare), link?.mtu], [addresses, MTU]);
    const server = await startTcpServer(namespace, 80, id);
    const member = { id, namespace, hostPort, addresses, result: result as Result, server };
    this.members.set(id, member);
    return member;
  }

  async check(sides: Sides, member: Member): Promise<void> {
    for (const plugin of PLUGINS) await this.call(plugin, sides[plugin], "CHECK", member, member.result);
  }

  /** DEL in the order of a runtime; what belongs to the others must stay as it is. */
  async del(sides: Sides, member: Member): Promise<void> {
    const { judge } = this.scene;
    this.members.delete(member.id);
    const others = [...this.members.values()];
    const before = await this.rulesOf(others);
    for (const plugin of [...PLUGINS].reverse())
      await this.call(plugin, sides[plugin], "DEL", member, member.result);
    judge.same(`rules of the others after DEL of ${member.id}`, await this.rulesOf(others), before);
    await member.server[Symbol.asyncDispose]();
    judge.same(`eth0 of ${member.id} after DEL`, await linkNamed(member.namespace, "eth0"), undefined);
  }

  /** Rules that name an address of one of these. */
  async rulesOf(members: readonly Pick<Member, "addresses">[]): Promise<string[]> {
    const { host } = this.scene;
    const ruleset = await host.run(`iptables-save; ip6tables-save
      nft list tables | grep -vE ' (nat|filter)$' | while read table; do nft list $table; done`);
    const addresses = members.flatMap((member) => member.addresses);
    return ruleset
      .split("\n")
      .filter((line) => addresses.some((address) => words(line).includes(address)))
      .map((line) => line.trim());
  }

  /** Each member is reached at its port, from outside and from the host, and nobody else is. */
  async judgePorts(when: string): Promise<void> {
    const { judge } = this.scene;
    const members = [...this.members.values()];
    const { namespace } = this.outside;
    const answers = await Promise.all(
      members.map(({ hostPort }) =>
        Promise.all([
          ask(namespace, Outside.HOST[4], hostPort),
          ask(namespace, Outside.HOST[6], hostPort),
          ask(undefined, "127.0.0.1", hostPort),
        ]),
      ),
    );
    const wanted = members.map(({ id }) => [
      `${id} ${Outside.ADDRESS[4]}`,
      `${id} ${Outside.ADDRESS[6]}`,
      `${id} 10.71.0.1`,
    ]);
    judge.same(`${when}: who answers`, answers, wanted);
  }

  /** `bridgehead ports` and `show` know each member, whoever has made its interface and its rules (O9). */
  async judgeOperator(when: string): Promise<void> {
    const { judge, programs } = this.scene;
    const call = async (...command: string[]): Promise<Record<string, unknown> | undefined> => {
      const { exitCode, stdout, stderr } = await outcomeOf([
        `${programs.ours}/bridgehead`,
        ...command,
        "--json",
      ]);
      if (stderr.includes("the compact file")) return undefined;
      judge.require(`${when}: bridgehead ${command.join(" ")}`, exitCode === 0 && stderr === "", {
        stdout,
        stderr,
      });
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const members = [...this.members.values()];
    const listed = await call("ports");
    if (listed === undefined) return;
    const found = (listed.ports as PublishedPort[]).map(
      ({ hostPort, containerID, network, address, state, openToAll }) =>
        [hostPort, containerID, network, address, state, openToAll].join(" "),
    );
    const wanted = members.flatMap(({ id, hostPort, addresses }) =>
      addresses.map((address) => [hostPort, id, NETWORK, address, "leads", true].join(" ")),
    );
    judge.same(`${when}: ports`, found.sort(), wanted.sort());
    for (const { id, addresses, hostPort } of members) {
      const shown = await call("show", String(hostPort));
      const [{ bridges, others } = { bridges: [], others: [] }] = (shown?.networks ?? []) as ShownNetwork[];
      const ends = bridges
        .flatMap(({ ports }) => ports)
        .map(({ namespace, attachment }) => [
          attachment?.containerID,
          namespace?.netns,
          namespace?.addresses.map(bare),
          attachment?.ports.map((port) => port.hostPort),
        ]);
      judge.same(
        `${when}: show ${hostPort}`,
        [ends, others],
        [[[id, `/run/netns/${id}`, [...addresses], [hostPort, hostPort]]], []],
      );
    }
  }

  async close(): Promise<void> {
    for (const { server } of this.members.values()) await server[Symbol.asyncDispose]();
  }
}

/** The addresses in a line, without prefix lengths, ports and brackets. */
const words = (line: string): string[] => line.match(/\d+(\.\d+){3}|[0-9a-f]+(::?[0-9a-f]+)+/g) ?? [];
