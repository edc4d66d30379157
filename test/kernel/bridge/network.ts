/** A network of the bridge plugin for tests: its configuration, containers on it, and what stays of it by rule B33. */
import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import type { PluginCall, PluginOutcome } from "../../support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";

export const BRIDGE = "br0";
export const NETWORK = "testnet";
export const LEASES = `/var/lib/cni/networks/${NETWORK}`;

export const V4 = { subnet: "10.77.0.0/24" };
export const V6 = { subnet: "fd77::/64" };

/** An IPAM section for host-local with one range set for each given range. */
export const hostLocal = (...ranges: object[]) => ({
  type: "host-local",
  ranges: ranges.map((range) => [range]),
});

/** One that has no address to give: the only one of its range is the gateway's. */
export const FULL_RANGE = hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" });

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

interface AttachmentOptions {
  /** The name of its namespace when left out. */
  readonly containerId?: string;
  readonly ifname?: string;
  readonly args?: string;
}

/** One attachment: a container's interface on a network. */
export class Attachment {
  readonly host: ScratchHost;
  readonly namespace: NamedNamespace;
  readonly config: Record<string, unknown>;
  readonly containerId: string;
  readonly ifname: string;
  readonly args: string | undefined;
  /** Of the last ADD. */
  result: AddResult = { cniVersion: "", interfaces: [], ips: [] };

  constructor(host: ScratchHost, namespace: NamedNamespace, keys: object, options: AttachmentOptions = {}) {
    this.host = host;
    this.namespace = namespace;
    this.config = configuration(keys);
    this.containerId = options.containerId ?? namespace.name;
    this.ifname = options.ifname ?? "eth0";
    this.args = options.args;
  }

  /** The host's end, as ADD named it. */
  get veth(): string {
    return this.result.interfaces[1]?.name ?? "";
  }

  /** What a runtime gives with a command for this attachment. `keys` go into the configuration. */
  request(command: string, keys: object = {}, netns = this.namespace.path): PluginCall {
    return {
      command,
      containerId: this.containerId,
      netns,
      ifname: this.ifname,
      config: { ...this.config, ...keys },
      ...(this.args !== undefined && { args: this.args }),
    };
  }

  /** Calls the plugin for this attachment, whatever comes of it. */
  call(command: string, keys: object = {}, netns?: string): Promise<PluginOutcome> {
    return this.callUnder([], this.request(command, keys, netns));
  }

  /** A request under another program, such as strace with its options. */
  callUnder(words: readonly string[], request: PluginCall): Promise<PluginOutcome> {
    return this.host.plugin("bridge", request, words);
  }

  /** ADD that must succeed. */
  async add(): Promise<AddResult> {
    const outcome = await this.call("ADD");
    expect(`${outcome}`).toStartWith("exit code 0");
    this.result = outcome.json<AddResult>();
    return this.result;
  }

  /** A call that must fail, and its error object. */
  async failure(command: string, keys: object = {}, netns?: string): Promise<ErrorDocument> {
    const outcome = await this.call(command, keys, netns);
    expect(`${outcome}`).toStartWith("exit code 1");
    return outcome.json<ErrorDocument>();
  }

  async check(result: object = this.result): Promise<void> {
    expect(`${await this.call("CHECK", { prevResult: result })}`).toStartWith('exit code 0, stdout ""');
  }

  /** What a CHECK says that must fail. */
  async loss(result: object = this.result): Promise<string> {
    return (await this.failure("CHECK", { prevResult: result })).msg;
  }

  /** DEL that must succeed silently. */
  async del(netns?: string): Promise<void> {
    expect(`${await this.call("DEL", {}, netns)}`).toStartWith('exit code 0, stdout ""');
  }

  /** Addresses as `ip` shows them in the container: "10.77.0.2/24". Link-local ones are left out. */
  addresses(): Promise<string[]> {
    return addressesOn(this.namespace, this.ifname);
  }

  /** The names of the container's interfaces. */
  interfaces(): Promise<string[]> {
    return linkNames(this.namespace);
  }
}

/** A container of this name, with an attachment that is to be made. */
export const prepare = async (
  host: ScratchHost,
  name: string,
  keys: object = {},
  options?: AttachmentOptions,
) => new Attachment(host, await host.addNamespace(name), keys, options);

/** A container of this name, attached. */
export async function attach(
  host: ScratchHost,
  name: string,
  keys: object = {},
  options?: AttachmentOptions,
) {
  const attachment = await prepare(host, name, keys, options);
  await attachment.add();
  return attachment;
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

/** What moves by itself on a bridge whose first port is new. */
export const SETTLES = [/\bbr0\b/, /^fdb /, /fe80::/];

/** A test on a scratch host with one network: at the end nothing of the attachments may be left. */
export const networkTest = hostTests({ mayKeep: STAYS });

/** The container "c1" through its life: ADD with these keys, `body`, CHECK, DEL. */
export async function wholeLife(
  host: ScratchHost,
  keys: object,
  body: (one: Attachment, host: ScratchHost) => Promise<unknown>,
  options?: AttachmentOptions,
): Promise<void> {
  const one = await attach(host, "c1", keys, options);
  await body(one, host);
  await one.check();
  await one.del();
}

/** A test of a container through its life. */
export const lifeTest = (name: string, ...[keys, body, options]: LifeParameters): void =>
  networkTest(name, (host) => wholeLife(host, keys, body, options));

type LifeParameters = Parameters<typeof wholeLife> extends [unknown, ...infer Rest] ? Rest : never;

type Place = ScratchHost | NamedNamespace;

/** The link of that name as `ip -d -j link` shows it. */
export interface ShownLink {
  ifname: string;
  ifindex: number;
  flags: string[];
  mtu: number;
  operstate: string;
  address: string;
  ifalias?: string;
  master?: string;
  promiscuity: number;
  link_index?: number;
  linkinfo?: {
    info_kind?: string;
    info_slave_data?: Record<string, unknown>;
    info_data?: Record<string, unknown>;
  };
}

export async function shownLink(place: Place, name: string): Promise<ShownLink> {
  const [link] = await place.json<ShownLink[]>(["ip", "-d", "-j", "link", "show", "dev", name]);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

/** Names of links in their order; `which` selects as in "type bridge" and "master br0". */
export const linkNames = async (place: Place, which = ""): Promise<string[]> =>
  (await place.json<{ ifname: string }[]>(`ip -j link show ${which}`)).map(({ ifname }) => ifname).sort();

/** The ports of the bridge. */
export const portsOf = (host: ScratchHost): Promise<string[]> => linkNames(host, `master ${BRIDGE}`);

/** Global addresses on a link: "10.77.0.2/24". */
export async function addressesOn(place: Place, link: string): Promise<string[]> {
  type Shown = { addr_info: { local: string; prefixlen: number; scope: string }[] };
  return (await place.json<Shown[]>(`ip -j addr show dev ${link}`))
    .flatMap(({ addr_info }) => addr_info)
    .filter(({ scope }) => scope === "global")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** Values of settings below /proc/sys/net, in a line. */
export const settings = async (place: Place, ...names: string[]): Promise<string> =>
  (await place.run(`cd /proc/sys/net; cat ${names.join(" ")}`)).trim().replaceAll("\n", " ");

/** IPv4 addresses that a lease holds. */
export const leased = (): string[] =>
  existsSync(LEASES)
    ? readdirSync(LEASES)
        .filter((name) => name.startsWith("10."))
        .sort()
    : [];

/** Calls the plugin without an attachment: GC and STATUS. */
export const hostCall = (host: ScratchHost, command: string, keys: object = {}): Promise<PluginOutcome> =>
  host.plugin("bridge", { command, config: configuration(keys) });

/** The key of GC that lists these containers. */
export const listing = (...ids: string[]) => ({
  "cni.dev/valid-attachments": ids.map((containerID) => ({ containerID, ifname: "eth0" })),
});
