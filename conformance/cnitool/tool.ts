/** cnitool as a user calls it: a folder of configurations, a network's name, a namespace. */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf } from "../../test/support/command.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import type { JsonRecord } from "../engine/network.ts";
import type { Programs } from "../scratch-lanes.ts";

/** Where this case's configurations are: NETCONFPATH. */
export const FOLDER = "/run/net.d";

export interface ToolOptions {
  readonly args?: string;
  readonly capabilities?: JsonRecord;
  /** CNI_IFNAME; cnitool takes eth0 when it is not set. */
  readonly ifname?: string;
  /** Folder of the plugins instead of ours: the reference's. */
  readonly plugins?: string;
}

export class Cnitool {
  private readonly programs: Programs;
  /** Searched before our folder. */
  private readonly before: readonly string[];

  constructor(programs: Programs, before: readonly string[] = []) {
    this.programs = programs;
    this.before = before;
    mkdirSync(FOLDER, { recursive: true });
  }

  /** Writes a file into the folder: "10-net.conf" or "10-net.conflist". */
  write(file: string, config: JsonRecord): void {
    writeFileSync(`${FOLDER}/${file}`, JSON.stringify(config));
  }

  call(
    command: string,
    network: string,
    container: NamedNamespace,
    options: ToolOptions = {},
  ): Promise<Outcome> {
    const { ours, neighbours, cnitool } = this.programs;
    const { args, capabilities, ifname, plugins = ours } = options;
    const env = {
      PATH: process.env.PATH ?? "",
      NETCONFPATH: FOLDER,
      CNI_PATH: [...this.before, plugins, neighbours].join(":"),
      ...(args !== undefined && { CNI_ARGS: args }),
      ...(capabilities !== undefined && { CAP_ARGS: JSON.stringify(capabilities) }),
      ...(ifname !== undefined && { CNI_IFNAME: ifname }),
    };
    return outcomeOf([`${cnitool}/cnitool`, command, network, container.path], { env });
  }

  /** Removes the configurations, and the folder that results were kept in. */
  close(): void {
    rmSync(FOLDER, { recursive: true, force: true });
  }
}

/** The id that cnitool derives from the path of a namespace. */
export const containerIdOf = ({ path }: NamedNamespace): string =>
  `cnitool-${createHash("sha512").update(path).digest("hex").slice(0, 20)}`;

/** Where libcni keeps what it needs for CHECK and DEL. */
export const cachedResult = (network: string, container: NamedNamespace, ifname = "eth0"): string =>
  `/var/lib/cni/results/${network}-${containerIdOf(container)}-${ifname}`;
