/** One of the two sides on a scratch host of its own: its plugins, called as a runtime calls them. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { callProgram, type PluginOutcome } from "../../test/support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../test/support/scratch-host.ts";

export type Who = "go" | "ours";
export type Config = Readonly<Record<string, unknown>>;

export interface Result {
  readonly interfaces?: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  readonly ips?: readonly { readonly address: string }[];
}

export interface CallOptions {
  readonly plugin?: string;
  readonly id?: string;
  readonly ifname?: string;
  /** The path of the container's namespace if left out. */
  readonly netns?: string;
  readonly args?: string;
  /** CNI_PATH; the folder of the side's plugins if left out. */
  readonly path?: string;
  /** Milliseconds after which the call is killed. */
  readonly timeout?: number;
  /** A command that the plugin runs under. */
  readonly under?: readonly string[];
}

/** A range that the customary network leases from. */
export const SUBNET = "10.1.0.0/24";

/** An `ipam` of host-local with one set for each subnet. */
export const ipam = (subnets: readonly string[] = [SUBNET], keys: Config = {}): Config => ({
  type: "host-local",
  ranges: subnets.map((subnet) => [{ subnet }]),
  ...keys,
});

/** A network of the bridge plugin, with host-local and no other key; a key that is undefined is left out. */
export const network = (keys: Config = {}): Config => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  bridge: "cni0",
  ipam: ipam(),
  ...keys,
});

export class Side {
  readonly who: Who;
  readonly host: ScratchHost;
  /** The folder of its plugins. */
  readonly folder: string;

  constructor(who: Who, host: ScratchHost, folder: string) {
    this.who = who;
    this.host = host;
    this.folder = folder;
  }

  container(id: string): Promise<NamedNamespace> {
    return this.host.addNamespace(id);
  }

  /** A call of the bridge plugin for the container "c1", unless the options say otherwise; whatever comes of it. */
  call(command: string, config: Config, options: CallOptions = {}): Promise<PluginOutcome> {
    const { plugin = "bridge", id = "c1", ifname = "eth0", netns = `/var/run/netns/${id}` } = options;
    const { under = [], args, path, timeout } = options;
    const given = Object.entries({ args, path, timeout }).filter(([, value]) => value !== undefined);
    const call = { command, containerId: id, ifname, netns, config, ...Object.fromEntries(given) };
    return callProgram([...under, `${this.folder}/${plugin}`], call, this.folder);
  }

  /** Makes an IPAM plugin of a script for /bin/sh. The folder that it is in, for CNI_PATH. */
  ipamPlugin(name: string, script: string): string {
    const folder = "/run/ipam";
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return folder;
  }

  /** An ADD that must succeed. */
  async add(config: Config, options?: CallOptions): Promise<Result> {
    const outcome = await this.call("ADD", config, options);
    if (outcome.exitCode !== 0) throw new Error(`ADD by ${this.who}: ${outcome}`);
    return outcome.json<Result>();
  }

  /** CHECK with the result of ADD. */
  check(config: Config, prevResult: Result, options?: CallOptions): Promise<PluginOutcome> {
    return this.call("CHECK", { ...config, prevResult }, options);
  }

  /** Ends a container as a crash does: without a DEL. Its pair goes with it, here at once. */
  async crash(container: NamedNamespace, ifname = "eth0"): Promise<void> {
    await container.run(`ip link del ${ifname}`);
    await this.host.run(`ip netns delete ${container.name}`);
  }
}

/** "succeeds", or "fails" with the text of the error. */
export function endOf(outcome: PluginOutcome): string {
  if (outcome.exitCode === 0) return "succeeds";
  const { msg, details } = JSON.parse(outcome.stdout) as { msg: string; details?: string };
  return `fails: ${msg}${details === undefined || details === "" ? "" : `; ${details}`}`;
}

/** "succeeds" or "fails", without the text. */
export const whether = ({ exitCode }: PluginOutcome): string => (exitCode === 0 ? "succeeds" : "fails");

/** Names of the lease files of a network. */
export function leaseFiles(network = "net"): string[] {
  try {
    return readdirSync(`/var/lib/cni/networks/${network}`)
      .filter((name) => /^[\d.]+$|^[0-9a-f:]+$/.test(name))
      .sort();
  } catch {
    return [];
  }
}
