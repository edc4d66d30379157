/** Containers that publish ports with the built portmap plugin, and what tests see of their rules. */
import { expect } from "bun:test";
import { outcomeOf, outputOf } from "../../support/command.ts";
import type { PluginCall, PluginOutcome } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import type { Container } from "../netfilter/network.ts";

export type Backend = "iptables" | "nftables";

/** An item of `portMappings`. */
export interface PortMapping {
  hostPort: number;
  containerPort: number;
  protocol?: string;
  hostIP?: string;
}

interface PodOptions {
  readonly network?: string;
  readonly containerId?: string;
  readonly ifname?: string;
  /** Addresses with prefix lengths; those of the container without this. */
  readonly addresses?: readonly string[];
  readonly netns?: string;
}

export const NETWORK = "net1";

/** One attachment whose ports are published. */
export class Pod {
  readonly host: ScratchHost;
  readonly options: PodOptions;
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly addresses: readonly string[];

  constructor(host: ScratchHost, container: Container | undefined, options: PodOptions = {}) {
    this.host = host;
    this.options = options;
    this.containerId = options.containerId ?? container?.namespace.name ?? "c1";
    this.ifname = options.ifname ?? "eth0";
    this.netns = options.netns ?? container?.namespace.path ?? "/var/run/netns/none";
    this.addresses = options.addresses ?? container?.addresses ?? [];
  }

  prevResult(cniVersion = "1.0.0"): object {
    return {
      cniVersion,
      interfaces: [{ name: "br0" }, { name: this.ifname, sandbox: this.netns }],
      ips: this.addresses.map((address) => ({ address, interface: 1 })),
    };
  }

  /** What a runtime gives. `keys` go into the configuration. */
  request(command: string, portMappings: readonly PortMapping[], keys: object = {}): PluginCall {
    return {
      command,
      containerId: this.containerId,
      netns: this.netns,
      ifname: this.ifname,
      config: {
        cniVersion: "1.0.0",
        name: this.options.network ?? NETWORK,
        type: "portmap",
        runtimeConfig: { portMappings },
        prevResult: this.prevResult(),
        ...keys,
      },
    };
  }

  call(command: string, portMappings: readonly PortMapping[], keys?: object): Promise<PluginOutcome> {
    return this.host.plugin("portmap", this.request(command, portMappings, keys));
  }

  /** ADD that must succeed; what it printed on stderr. */
  async add(portMappings: readonly PortMapping[], keys?: object): Promise<string> {
    const outcome = await this.call("ADD", portMappings, keys);
    expect(`${outcome}`).toStartWith("exit code 0");
    return outcome.stderr;
  }

  /** A call that must fail, and its error. */
  async failure(command: string, portMappings: readonly PortMapping[], keys?: object) {
    const outcome = await this.call(command, portMappings, keys);
    expect(`${outcome}`).toStartWith("exit code 1");
    return outcome.json<{ code: number; msg: string; details?: string }>();
  }

  async check(portMappings: readonly PortMapping[], keys?: object): Promise<void> {
    expect(`${await this.call("CHECK", portMappings, keys)}`).toStartWith('exit code 0, stdout ""');
  }

  /** DEL without anything that it does not need. */
  async del(keys: object = {}): Promise<void> {
    const outcome = await this.call("DEL", [], { runtimeConfig: undefined, prevResult: undefined, ...keys });
    expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
  }
}

/** GC of a network that keeps these containers. */
export async function collect(
  host: ScratchHost,
  ids: readonly string[],
  network = NETWORK,
  keys: object = {},
): Promise<PluginOutcome> {
  const config = {
    cniVersion: "1.1.0",
    name: network,
    type: "portmap",
    "cni.dev/valid-attachments": ids.map((containerID) => ({ containerID, ifname: "eth0" })),
    ...keys,
  };
  const outcome = await host.plugin("portmap", { command: "GC", config });
  expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
  return outcome;
}

/** Lines of iptables-save about published ports, of both families. */
export async function saved(variant: "nft" | "legacy" = "nft"): Promise<string[]> {
  const all = await Promise.all(
    ["iptables", "ip6tables"].map((name) => outputOf([`${name}-${variant}-save`, "-t", "nat"])),
  );
  return all.flatMap((text) => text.split("\n").filter((line) => line.startsWith("-A ")));
}

/** What `nft` lists of the tables of published ports, without handles. */
export async function listed(family: "ip" | "ip6" = "ip", table = "cni_hostport"): Promise<string> {
  const { exitCode, stdout } = await outcomeOf(["nft", "list", "table", family, table]);
  return exitCode === 0 ? stdout : "";
}

/** The rules that `nft` lists, one a line. */
export const rulesIn = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /dnat to|masquerade|jump|drop/.test(line));
