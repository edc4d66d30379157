/** A container with an interface, as an earlier plugin leaves it, and calls of tuning for it. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import type { PluginCall, PluginOutcome } from "../../support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import type { ErrorDocument } from "../bridge/network.ts";

export const DATA = "/run/cni/tuning";
export const NETWORK = "tuned";
export const MAC = "02:00:5e:10:00:0a";
const FORMER_MAC = "02:00:5e:10:00:01";

/** The settings of the interface as ip(8) shows them. */
export interface Shown {
  readonly mac: string;
  readonly mtu: number;
  readonly promisc: boolean;
  readonly allmulti: boolean;
  readonly txQLen: number;
}

/** What the interface has before the first ADD. */
export const FORMER: Shown = { mac: FORMER_MAC, mtu: 1500, promisc: false, allmulti: false, txQLen: 1000 };

export interface Result {
  readonly interfaces: readonly { name: string; mac?: string; mtu?: number; sandbox?: string }[];
}

export class Tuned {
  readonly host: ScratchHost;
  readonly namespace: NamedNamespace;
  readonly ifname: string;
  readonly containerId: string;

  constructor(host: ScratchHost, namespace: NamedNamespace, ifname: string, containerId: string) {
    this.host = host;
    this.namespace = namespace;
    this.ifname = ifname;
    this.containerId = containerId;
  }

  /** Where the reference saves the settings as well. */
  get file(): string {
    return `${DATA}/${this.containerId}_${this.ifname}.json`;
  }

  get previous(): Record<string, unknown> {
    return {
      cniVersion: "1.1.0",
      interfaces: [
        { name: "cni0", mac: "02:00:5e:00:00:01", mtu: 1500 },
        { name: this.ifname, mac: "02:00:5e:00:00:02", mtu: 1500 },
        { name: this.ifname, mac: FORMER_MAC, mtu: 1500, sandbox: this.namespace.path },
        { name: "other", mac: "02:00:5e:00:00:03", mtu: 1500, sandbox: this.namespace.path },
      ],
      ips: [{ address: "10.1.0.2/24", interface: 2 }],
    };
  }

  request(command: string, keys: object = {}, call: Partial<PluginCall> = {}): PluginCall {
    return {
      command,
      containerId: this.containerId,
      netns: this.namespace.path,
      ifname: this.ifname,
      config: { cniVersion: "1.1.0", name: NETWORK, type: "tuning", prevResult: this.previous, ...keys },
      ...call,
    };
  }

  call(
    command: string,
    keys?: object,
    call?: Partial<PluginCall>,
    under: readonly string[] = [],
  ): Promise<PluginOutcome> {
    return this.host.plugin("tuning", this.request(command, keys, call), under);
  }

  /** A call that must succeed without a word. */
  async silent(command: string, keys?: object, call?: Partial<PluginCall>): Promise<void> {
    expect(`${await this.call(command, keys, call)}`).toBe('exit code 0, stdout "", stderr ""');
  }

  async add(keys: object, call?: Partial<PluginCall>): Promise<Result> {
    const outcome = await this.call("ADD", keys, call);
    expect(`${outcome}`).toStartWith("exit code 0");
    return outcome.json<Result>();
  }

  /** A call that must fail, and its error. */
  async failure(
    command: string,
    keys?: object,
    call?: Partial<PluginCall>,
    under?: readonly string[],
  ): Promise<ErrorDocument> {
    const outcome = await this.call(command, keys, call, under);
    expect(`${outcome}`).toStartWith("exit code 1");
    return outcome.json<ErrorDocument>();
  }

  async shown(): Promise<Shown> {
    const command = ["ip", "-j", "-d", "link", "show", "dev", this.ifname];
    const [link] =
      await this.namespace.json<{ address: string; mtu: number; flags: string[]; txqlen?: number }[]>(
        command,
      );
    if (link === undefined) throw new Error(`no link ${this.ifname}`);
    // A queue of 0 is left out.
    const { address, mtu, flags, txqlen = 0 } = link;
    const [promisc, allmulti] = [flags.includes("PROMISC"), flags.includes("ALLMULTI")];
    return { mac: address, mtu, promisc, allmulti, txQLen: txqlen };
  }

  /** The saved settings, without the key that is ours alone; undefined if there is no file. */
  saved(file = this.file): Record<string, unknown> | undefined {
    if (!existsSync(file)) return undefined;
    const { bridgehead: _, ...state } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    return state;
  }

  /** Values of settings below /proc/sys/net, in a line. */
  async sysctls(...names: string[]): Promise<string> {
    return (await this.namespace.run(`cd /proc/sys/net; cat ${names.join(" ")}`))
      .trim()
      .replaceAll(/\s+/g, " ");
  }
}

/** A container whose interface is one end of a pair; the other end is in it as well. */
export async function prepare(
  host: ScratchHost,
  {
    name = "c1",
    ifname = "eth0",
    containerId = name,
  }: { name?: string; ifname?: string; containerId?: string } = {},
): Promise<Tuned> {
  const namespace = await host.addNamespace(name);
  await namespace.run(`ip link add ${ifname} address ${FORMER_MAC} type veth peer name peer0
    ip link set peer0 up && ip link set ${ifname} up`);
  return new Tuned(host, namespace, ifname, containerId);
}

/** The directory of saved settings stays, without a file (rule T9). */
export const tuningTest = hostTests({ mayKeep: [/^file \/run\/cni\/(tuning\/)? (700|755)/] });
