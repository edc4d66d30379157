/** Containers whose runtime calls nerdctl's chain for them: bridge, portmap, firewall and tuning. */
import { expect } from "bun:test";
import type { PluginOutcome } from "../../support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { type AddResult, BRIDGE, hostLocal, NETWORK, V4, V6 } from "../bridge/network.ts";

export type Backend = "iptables" | "nftables";

/** The port that leads to the same port of the container. */
const FIRST_PORT = 20_000;

/** The keys of a plugin's configuration. */
type Plugin = Readonly<Record<string, unknown>> & { readonly type: string };

const chainOf = (backend: Backend): readonly Plugin[] => [
  {
    type: "bridge",
    bridge: BRIDGE,
    isDefaultGateway: true,
    ipMasq: true,
    ipMasqBackend: backend,
    ipam: hostLocal(V4, V6),
  },
  { type: "portmap", backend },
  { type: "firewall", backend, ingressPolicy: "same-bridge" },
  { type: "tuning", mtu: 1400 },
];

export class ChainContainer {
  readonly host: ScratchHost;
  readonly namespace: NamedNamespace;
  readonly backend: Backend;
  readonly port: number;
  /** Of the last ADD. */
  private result: AddResult | undefined;

  private constructor(host: ScratchHost, namespace: NamedNamespace, backend: Backend, index: number) {
    this.host = host;
    this.namespace = namespace;
    this.backend = backend;
    this.port = FIRST_PORT + index;
  }

  static async prepare(host: ScratchHost, backend: Backend, index: number): Promise<ChainContainer> {
    return new ChainContainer(host, await host.addNamespace(`c${index}`), backend, index);
  }

  /** Without their prefix lengths. */
  get addresses(): string[] {
    return (this.result?.ips ?? []).map(({ address }) => address.slice(0, address.indexOf("/")));
  }

  /** Words in the listings of rules that tell of this container. */
  get words(): RegExp {
    return new RegExp(`\\b(${[this.namespace.name, this.port, ...this.addresses].join("|")})\\b`);
  }

  private async call(plugin: Plugin, command: string): Promise<PluginOutcome> {
    const { name, path } = this.namespace;
    const portMappings = ["tcp", "udp"].map((protocol) => ({
      hostPort: this.port,
      containerPort: this.port,
      protocol,
    }));
    const outcome = await this.host.plugin(plugin.type, {
      command,
      containerId: name,
      netns: path,
      ifname: "eth0",
      config: {
        ...{ cniVersion: "1.1.0", name: NETWORK, prevResult: this.result, ...plugin },
        ...(plugin.type === "portmap" && { runtimeConfig: { portMappings } }),
      },
    });
    expect(`${plugin.type} ${command} of ${name}: ${outcome}`).toContain(": exit code 0, ");
    return outcome;
  }

  async add(): Promise<void> {
    this.result = undefined;
    for (const plugin of chainOf(this.backend))
      this.result = (await this.call(plugin, "ADD")).json<AddResult>();
  }

  async check(): Promise<void> {
    for (const plugin of chainOf(this.backend)) await this.call(plugin, "CHECK");
  }

  async del(): Promise<void> {
    for (const plugin of chainOf(this.backend).toReversed()) await this.call(plugin, "DEL");
  }
}
