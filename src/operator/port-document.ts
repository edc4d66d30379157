/** A published port in documents of `--json`, with the words of CNI, and in words for people (rules O3, O9). */
import { formatIp } from "../net/ip.ts";
import type { PortState, PublishedPort } from "./port-list.ts";

/** A port in a document. */
export interface PortDocument {
  /** "0.0.0.0" and "::" are all addresses of the host. */
  readonly hostIP: string;
  readonly hostPort: number;
  readonly protocol: string;
  readonly family: string;
  readonly containerID: string | null;
  readonly ifname: string | null;
  readonly network: string | null;
  /** The container's. */
  readonly address: string;
  readonly containerPort: number;
  /** Null if there is no rule any more. */
  readonly backend: string | null;
  readonly state: PortState;
  readonly openToAll: boolean;
  /** Whose rule takes its packets (shadowed), or may (contested). */
  readonly rival: {
    readonly containerID: string | null;
    readonly network: string | null;
    readonly backend: string;
  } | null;
  /** The process of the host that listens on the port. */
  readonly process: { readonly pid: number; readonly name: string } | null;
  readonly why: string | null;
}

/** The document of a port. */
export const portDocument = ({ mapping, by, process: listener, ...port }: PublishedPort): PortDocument => ({
  hostIP: formatIp(mapping.hostIp),
  hostPort: mapping.hostPort,
  protocol: mapping.protocol,
  family: `ipv${port.family}`,
  containerID: port.containerId ?? null,
  ifname: port.ifname || null,
  network: port.network ?? null,
  address: formatIp(port.address),
  containerPort: mapping.containerPort,
  backend: port.backend ?? null,
  state: port.state,
  openToAll: port.isOpen,
  rival:
    by === undefined
      ? null
      : { containerID: by.containerId ?? null, network: by.network ?? null, backend: by.backend },
  process: listener === undefined ? null : { pid: listener.pid, name: listener.program },
  why: port.why ?? null,
});

const endpoint = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** As in "0.0.0.0:8080", "[fd00::1]:8080". */
export const hostEnd = ({ hostIP, hostPort }: PortDocument): string => endpoint(hostIP, hostPort);

/** As in "10.1.2.3:80". */
export const containerEnd = ({ address, containerPort }: PortDocument): string =>
  endpoint(address, containerPort);

/** As in "leads, open to all", "shadowed by c2 (net1)", "taken by process 4711 (nginx)", "dead: its lease is dead". */
export function stateText(port: PortDocument): string {
  const { state, why, rival, process: listener, openToAll, containerID, network } = port;
  const other = rival?.containerID?.slice(0, 13) ?? "another container";
  switch (state) {
    case "leads":
      return openToAll ? "leads, open to all" : "leads";
    case "taken":
      return listener === null
        ? "taken by a program of the host"
        : `taken by process ${listener.pid} (${listener.name})`;
    case "contested":
      return `leads, or is shadowed by ${other} (${rival?.backend})`;
    case "shadowed":
      if (rival?.containerID === containerID && rival.network === network)
        return "shadowed by an earlier rule of its own";
      return `shadowed by ${other}${rival?.network ? ` (${rival.network})` : ""}`;
    default:
      return `${state}: ${why}`;
  }
}
