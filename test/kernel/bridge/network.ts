/** A network of the bridge plugin for tests: its configuration, containers on it, and what stays of it by rule B33. */
import { expect } from "bun:test";
import type { PluginOutcome } from "../../support/plugin-call.ts";
import { type NamedNamespace, type ScratchHost, withScratchHost } from "../../support/scratch-host.ts";

export const BRIDGE = "br0";
export const NETWORK = "testnet";

export const V4 = { subnet: "10.77.0.0/24" };
export const V6 = { subnet: "fd77::/64" };

/** An IPAM section for host-local with one range set for each given range. */
export const hostLocal = (...ranges: object[]) => ({
  type: "host-local",
  ranges: ranges.map((range) => [range]),
});

/** A configuration of version 1.1.0 with IPv4; `keys` replaces and adds. */
export const configuration = (keys: object = {}): Record<string, unknown> => ({
  cniVersion: "1.1.0",
  name: NETWORK,
  type: "bridge",
  bridge: BRIDGE,
  ipam: hostLocal(V4),
  ...keys,
});

/** ADD's result in the form of 1.0.0 and later. */
export interface AddResult {
  cniVersion: string;
  interfaces: { name: string; mac: string; mtu?: number; sandbox?: string }[];
  ips: { address: string; gateway?: string; interface?: number }[];
  routes?: { dst: string; gw?: string; mtu?: number; priority?: number }[];
  dns?: object;
}

/** An error object. */
export interface ErrorDocument {
  cniVersion: string;
  code: number;
  msg: string;
  details?: string;
}

/** One attachment: a container's interface on a network. */
export class Attachment {
  readonly host: ScratchHost;
  readonly namespace: NamedNamespace;
  readonly config: Record<string, unknown>;
  readonly ifname: string;
  readonly args: string | undefined;

  constructor(
    host: ScratchHost,
    namespace: NamedNamespace,
    config: Record<string, unknown>,
    options: { ifname?: string; args?: string } = {},
  ) {
    this.host = host;
    this.namespace = namespace;
    this.config = config;
    this.ifname = options.ifname ?? "eth0";
    this.args = options.args;
  }

  /** Calls the plugin for this attachment, whatever comes of it. `keys` go into the configuration. */
  call(command: string, keys: object = {}, netns = this.namespace.path): Promise<PluginOutcome> {
    return this.host.plugin("bridge", {
      command,
      containerId: this.namespace.name,
      netns,
      ifname: this.ifname,
      config: { ...this.config, ...keys },
      ...(this.args !== undefined && { args: this.args }),
    });
  }

  /** ADD that must succeed. */
  async add(): Promise<AddResult> {
    const outcome = await this.call("ADD");
    expect(`${outcome}`).toStartWith("exit code 0");
    return outcome.json<AddResult>();
  }

  /** A call that must fail, and its error object. */
  async failure(command: string, keys: object = {}, netns?: string): Promise<ErrorDocument> {
    const outcome = await this.call(command, keys, netns);
    expect(`${outcome}`).toStartWith("exit code 1");
    return outcome.json<ErrorDocument>();
  }

  async check(result: AddResult): Promise<void> {
    const outcome = await this.call("CHECK", { prevResult: result });
    expect({ exitCode: outcome.exitCode, stdout: outcome.stdout }).toEqual({ exitCode: 0, stdout: "" });
  }

  /** DEL that must succeed silently. */
  async del(netns?: string): Promise<void> {
    const outcome = await this.call("DEL", {}, netns);
    expect({ exitCode: outcome.exitCode, stdout: outcome.stdout }).toEqual({ exitCode: 0, stdout: "" });
  }

  /** Addresses as `ip` shows them in the container: "10.77.0.2/24". Link-local ones are left out. */
  async addresses(): Promise<string[]> {
    const links = await this.namespace.json<
      { addr_info: { local: string; prefixlen: number; scope: string }[] }[]
    >(`ip -j addr show dev ${this.ifname}`);
    return links
      .flatMap(({ addr_info }) => addr_info)
      .filter(({ scope }) => scope === "global")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }
}

/** What the IPAM keeps beside its leases. */
export const IPAM_FILES =
  /^file \/var\/lib\/cni\/(networks\/)?((\.bridgehead|testnet)\/(testnet\.index|lock|last_reserved_ip\.\d+)?)? /;

/**
 * What is there after the last DEL: the bridge with its addresses, forwarding, the IPAM's own files, and the tables
 * and base chains that iptables makes.
 */
export const STAYS = [
  /\bbr0\b/,
  /^sysctl net\.ipv[46]\.(ip_forward|conf\.(all|default)\.forwarding) /,
  IPAM_FILES,
  /^nft \{"(table|chain)":/,
  // The rules that the table begins with, for all attachments.
  /^nft \{"rule":\{"family":"inet","table":"cni_plugins_masquerade","chain":"postrouting"/,
];

/** A test on a scratch host with one network: at the end nothing of the attachments may be left. */
export function withNetwork(body: (host: ScratchHost) => Promise<void>): Promise<void> {
  return withScratchHost(body, { mayKeep: STAYS });
}

/** The link of that name as `ip -d -j link` shows it. */
export interface ShownLink {
  ifname: string;
  ifindex: number;
  flags: string[];
  mtu: number;
  operstate: string;
  address: string;
  master?: string;
  promiscuity: number;
  link_index?: number;
  linkinfo?: {
    info_kind?: string;
    info_slave_data?: Record<string, unknown>;
    info_data?: Record<string, unknown>;
  };
}

export async function shownLink(place: ScratchHost | NamedNamespace, name: string): Promise<ShownLink> {
  const links = await place.json<ShownLink[]>(["ip", "-d", "-j", "link", "show", "dev", name]);
  const link = links[0];
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}
