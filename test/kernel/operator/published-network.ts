/** A network whose containers publish ports, by these plugins or by others, with what a runtime keeps of it. */
import { expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { command } from "../../operator/recording.ts";
import { builtBinaries, callPlugin } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import {
  type AddResult,
  type Attachment,
  BRIDGE,
  hostLocal,
  NETWORK,
  prepare,
  V4,
  V6,
} from "../bridge/network.ts";
import { type Backend, Pod, type PortMapping } from "../portmap/pod.ts";
import { keep } from "./libcni-cache.ts";

/** Where the files of the network are. */
export const FOLDER = "/run/operator";
/** An id as runtimes make it. */
export const ID = "0123456789abcdef".repeat(4);
/** A port of both families, and one of an address. */
export const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: "tcp" },
  { hostPort: 5353, containerPort: 53, protocol: "udp", hostIP: "10.77.0.1" },
];
/** The first of them. */
export const WEB: PortMapping[] = PORTS.slice(0, 1);

/** Containers of one network, with bridge and portmap of a folder. */
export class Scene {
  private readonly host: ScratchHost;
  private readonly programs: string;
  private readonly backend: Backend;
  private readonly list: readonly [Record<string, unknown>, Record<string, unknown>];

  constructor(host: ScratchHost, backend: Backend, programs = builtBinaries()) {
    this.host = host;
    this.programs = programs;
    this.backend = backend;
    const bridge = { bridge: BRIDGE, isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) };
    this.list = [
      { type: "bridge", cniVersion: "1.0.0", ...bridge },
      { type: "portmap", backend, capabilities: { portMappings: true } },
    ];
    mkdirSync(`${FOLDER}/results`, { recursive: true });
    const document = { cniVersion: "1.0.0", name: NETWORK, plugins: this.list };
    writeFileSync(`${FOLDER}/10-net.conflist`, JSON.stringify(document));
  }

  /** ADD of bridge and of portmap, and what a runtime keeps of them. */
  async add(containerId: string, namespace: string, portMappings: PortMapping[]) {
    const one = await prepare(this.host, namespace, this.list[0], { containerId });
    const added = await callPlugin("bridge", one.request("ADD"), this.programs);
    expect(`${added}`).toStartWith("exit code 0");
    one.result = added.json<AddResult>();
    const addresses = one.result.ips.map(({ address }) => address);
    const netns = one.namespace.path;
    const pod = new Pod(this.host, undefined, { network: NETWORK, containerId, netns, addresses });
    const keys = { backend: this.backend };
    const published = await callPlugin("portmap", pod.request("ADD", portMappings, keys), this.programs);
    expect(`${published}`).toStartWith("exit code 0");
    keep(FOLDER, { containerId, netns, result: one.result, capabilityArgs: { portMappings } });
    return { one, pod };
  }

  run(words: readonly string[], columns = Number.POSITIVE_INFINITY) {
    return command([...words, "--config-dir", FOLDER, "--cache-dir", FOLDER], { columns });
  }

  /** Each port as "0.0.0.0:8080/tcp c1 10.77.0.2:80 testnet nftables leads open". */
  async ports(...words: string[]): Promise<string[]> {
    const { exitCode, stdout, stderr } = await this.run(["ports", ...words, "--json"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { version, ports } = JSON.parse(stdout) as { version: number; ports: Record<string, unknown>[] };
    expect(version).toBe(1);
    return ports.map(
      ({
        hostIP,
        hostPort,
        protocol,
        containerID,
        address,
        containerPort,
        network,
        backend,
        state,
        openToAll,
      }) => {
        const where = `${hostIP}:${hostPort}/${protocol}`;
        const id = String(containerID).replace(ID, "long");
        return `${where} ${id} ${address}:${containerPort} ${network} ${backend} ${state}${openToAll ? " open" : ""}`;
      },
    );
  }

  /** Empties libcni's cache. */
  forget(): void {
    rmSync(`${FOLDER}/results`, { recursive: true });
    mkdirSync(`${FOLDER}/results`);
  }

  /** DEL of all, by these plugins. */
  async end(...all: Awaited<ReturnType<Scene["add"]>>[]): Promise<void> {
    for (const { one, pod } of all) {
      await pod.del({ backend: this.backend });
      await one.del();
    }
    rmSync(FOLDER, { recursive: true });
  }
}

/** Addresses without prefix lengths. */
export const addressesOf = ({ result }: Attachment): string[] =>
  result.ips.map(({ address }) => address.split("/")[0] ?? "");
