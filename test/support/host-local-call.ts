/** host-local called as functions in this process, through the protocol and without one. */
import { decodeDocument, readNetworkConfig } from "../../src/cni/config.ts";
import type { Command } from "../../src/cni/environment.ts";
import type { Request } from "../../src/cni/plugin.ts";
import type { Result } from "../../src/cni/result.ts";
import type { Boot } from "../../src/leases/boot.ts";
import { formatPrefix } from "../../src/net/prefix.ts";
import { add } from "../../src/plugins/host-local/add.ts";
import { check } from "../../src/plugins/host-local/check.ts";
import { del } from "../../src/plugins/host-local/del.ts";
import { gc } from "../../src/plugins/host-local/gc.ts";
import { status } from "../../src/plugins/host-local/status.ts";
import { endlessTime } from "./call-time.ts";

/** What a call says; the rest is filled in. */
export interface HostLocalCall {
  readonly config: object;
  readonly containerId?: string;
  readonly ifname?: string;
  readonly netns?: string;
  readonly args?: string;
  /** Lines on stderr are put here. */
  readonly lines?: string[];
}

/** A network called "net" with these ranges, and more keys of `ipam` and of the whole. */
export const networkOf = (dataDir: string, ipam: object, whole: object = {}): object => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  ipam: { type: "host-local", dataDir, ...ipam },
  ...whole,
});

/** The request that the protocol would make of a call. @throws CniError for the configuration */
export function requestOf(command: Command, call: HostLocalCall): Request {
  const stdin = new TextEncoder().encode(JSON.stringify(call.config));
  const config = readNetworkConfig(decodeDocument(stdin), command);
  return {
    command,
    network: config.name,
    containerId: call.containerId ?? "c1",
    netns: call.netns ?? "/nowhere",
    ifname: call.ifname ?? "eth0",
    args: call.args ?? "",
    path: ["/nowhere"],
    config,
    stdin,
    environment: {},
    delegation: {
      isExecutable: () => false,
      builtIn: () => undefined,
      run: () => {
        throw new Error("host-local delegates nothing");
      },
    },
    time: endlessTime,
    log: (line) => void call.lines?.push(line),
  };
}

/** The commands; a boot may be put in place of the real one. */
export const hostLocalOn = (boot?: Boot) => ({
  add: (call: HostLocalCall): Promise<Result> => add(requestOf("ADD", call), boot),
  check: (call: HostLocalCall): Promise<void> => check(requestOf("CHECK", call), boot),
  del: (call: HostLocalCall): Promise<void> => del(requestOf("DEL", call), boot),
  gc: (call: HostLocalCall): Promise<void> => gc(requestOf("GC", call), boot),
  status: (call: HostLocalCall): Promise<void> => status(requestOf("STATUS", call), boot),
});

/** The addresses of a result with their lengths, "10.1.0.2/24". */
export const addressesOf = (result: Result): string[] =>
  result.ips.map(({ address }) => formatPrefix(address));
