/** All commands of all plugins on one container, as a runtime would call them for a network of four plugins. */
import { expect } from "bun:test";
import type { PluginOutcome } from "../support/plugin-call.ts";
import { protocolProblems } from "../support/protocol.ts";
import type { ScratchHost } from "../support/scratch-host.ts";
import { hostLocal, STAYS, V4, V6 } from "./bridge/network.ts";

/** What stays of them by design. */
export const KEPT = [...STAYS, /^file \/run\/cni/, /^sysctl net\.ipv[46]\.conf\.all\.forwarding /];

const NETWORK = { cniVersion: "1.1.0", name: "testnet" };
const BRIDGE = { bridge: "br0", isGateway: true, ipMasq: true, macspoofchk: true };
const MAPPING = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
/** In the order of a chain. */
const CHAIN: readonly (readonly [plugin: string, keys: object])[] = [
  ["bridge", { ...BRIDGE, ipam: hostLocal(V4, V6) }],
  ["portmap", { runtimeConfig: { portMappings: [MAPPING] } }],
  ["firewall", {}],
  ["tuning", { mtu: 1400, sysctl: { "net.ipv4.conf.eth0.arp_filter": "1" } }],
];
const STATIC = { ...BRIDGE, ipam: { type: "static", addresses: [{ address: "10.77.0.9/24" }] } };

export interface Surroundings {
  /** Makes the surroundings and runs the program, which is "$@". */
  readonly line: string;
  /** CNI_PATH; the folder of the plugins when left out. */
  readonly path?: string;
}

/** Each command must succeed. What they leave is in KEPT. */
export async function everyCommand(host: ScratchHost, { line, path }: Surroundings): Promise<void> {
  const { path: netns } = await host.addNamespace("c1");
  const call = async (plugin: string, command: string, keys: object): Promise<PluginOutcome> => {
    const config = { ...NETWORK, type: plugin, ...keys };
    const attachment = /STATUS|GC/.test(command) ? {} : { containerId: "c1", netns, ifname: "eth0" };
    const request = { command, config, ...attachment, ...(path !== undefined && { path }) };
    const outcome = await host.plugin(plugin, request, ["/bin/sh", "-c", line, "sh"]);
    expect(`${plugin} ${command}: ${outcome}`).toStartWith(`${plugin} ${command}: exit code 0, `);
    expect(protocolProblems(command, outcome)).toEqual([]);
    return outcome;
  };
  const life = async (chain: typeof CHAIN): Promise<void> => {
    for (const [plugin, keys] of chain) await call(plugin, "STATUS", keys);
    let result = {};
    for (const [plugin, keys] of chain)
      result = { prevResult: (await call(plugin, "ADD", { ...keys, ...result })).json() };
    for (const [plugin, keys] of chain) await call(plugin, "CHECK", { ...keys, ...result });
    for (const [plugin, keys] of chain.toReversed()) await call(plugin, "DEL", { ...keys, ...result });
    const none = { "cni.dev/valid-attachments": [] };
    for (const [plugin, keys] of chain) await call(plugin, "GC", { ...keys, ...none });
  };
  for (const [plugin, keys] of CHAIN) await call(plugin, "VERSION", keys);
  await life(CHAIN);
  await life([["bridge", STATIC]]);
  await life([["loopback", {}]]);
}
