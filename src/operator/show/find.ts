/** Finds what an argument of `show` names, and leaves out everything else (rule O9). */
import { formatIp, parseIp } from "../../net/ip.ts";
import { parsePrefix } from "../../net/prefix.ts";
import type { BridgeNode, EndNode, NetworkNode, OtherNode, PortNode, PublishedNode } from "./nodes.ts";

/** What is wanted of the tree. A wanted bridge is shown with all its ports. */
interface Wanted {
  readonly network?: (node: NetworkNode) => boolean;
  readonly bridge?: (node: BridgeNode) => boolean;
  readonly end?: (node: EndNode & Partial<PortNode> & Partial<OtherNode>) => boolean;
}

/**
 * The part of the tree that the text names: a network, a container by its id, an interface of the host, an address, a port of
 * the host, a namespace by its path or its name for ip(8), or the beginning of a container's id, in this order. An array of ids for a beginning that
 * stands for several containers, undefined if it names nothing.
 */
export function find(nodes: readonly NetworkNode[], text: string): NetworkNode[] | string[] | undefined {
  for (const wanted of meaningsOf(text)) {
    const found = prune(nodes, wanted);
    if (found.length > 0) return found;
  }
  if (text === "") return undefined;
  const begins = (id: string | null | undefined): boolean => id?.startsWith(text) === true;
  const found = prune(nodes, { end: ({ attachment }) => begins(attachment?.containerID) });
  const ids = idsIn(found);
  return ids.length > 1 ? ids : found.length > 0 ? found : undefined;
}

function* meaningsOf(text: string): Generator<Wanted> {
  yield { network: ({ network }) => network === text };
  yield { end: ({ attachment }) => attachment?.containerID === text };
  yield {
    bridge: ({ ifname }) => ifname === text,
    end: ({ ifname, link }) => (ifname ?? link?.ifname) === text,
  };
  const address = parseIp(text) ?? parsePrefix(text)?.address;
  if (address !== undefined) yield ofAddress(formatIp(address));
  const port = parsePort(text);
  if (port !== undefined)
    yield { end: ({ attachment }) => attachment?.ports.some((each) => isPort(each, port)) === true };
  const path = inRun(text);
  if (path.startsWith("/")) yield { end: ({ namespace }) => inRun(namespace?.netns ?? "") === path };
  // As `ip netns` names it.
  else yield { end: ({ namespace }) => inRun(namespace?.netns ?? "") === `/run/netns/${text}` };
}

/** /var/run is usually a link to /run. */
const inRun = (path: string): string => path.replace(/^\/var\/run\//, "/run/");

const bare = (text: string): string => text.split("/")[0] ?? "";

const ofAddress = (address: string): Wanted => ({
  bridge: ({ addresses }) => addresses.some((each) => bare(each) === address),
  end: ({ namespace, attachment }) =>
    namespace?.addresses.some((each) => bare(each) === address) === true ||
    attachment?.leases.some((lease) => lease.address === address) === true ||
    attachment?.ports.some((port) => port.address === address || port.hostIP === address) === true,
});

/** A port of the host as a person writes it. */
interface WantedPort {
  readonly hostPort: number;
  readonly protocol: string | undefined;
  readonly hostIP: string | undefined;
}

/** As in "8080", "8080/udp", "10.1.2.1:8080", "[fd00::1]:8080/tcp". */
function parsePort(text: string): WantedPort | undefined {
  const [, v6, v4, number, protocol] = /^(?:\[(.+)\]:|([\d.]+):)?(\d{1,5})(?:\/([a-z]+))?$/i.exec(text) ?? [];
  const written = v6 ?? v4;
  const hostIp = written === undefined ? undefined : parseIp(written);
  if (number === undefined || (written !== undefined && hostIp === undefined)) return undefined;
  return {
    hostPort: Number(number),
    protocol: protocol?.toLowerCase(),
    hostIP: hostIp && formatIp(hostIp),
  };
}

const isPort = (port: PublishedNode, { hostPort, protocol, hostIP }: WantedPort): boolean =>
  port.hostPort === hostPort &&
  (protocol === undefined || port.protocol === protocol) &&
  (hostIP === undefined || port.hostIP === hostIP);

function prune(nodes: readonly NetworkNode[], { network, bridge, end }: Wanted): NetworkNode[] {
  const isEnd = end ?? (() => false);
  return nodes.flatMap((node) => {
    if (network?.(node)) return [node];
    const bridges = node.bridges.flatMap((each) => {
      if (bridge?.(each)) return [each];
      const ports = each.ports.filter(isEnd);
      return ports.length > 0 ? [{ ...each, ports }] : [];
    });
    const others = node.others.filter(isEnd);
    return bridges.length + others.length > 0 ? [{ ...node, bridges, others }] : [];
  });
}

/** The ids of all containers of a tree. */
export function idsIn(nodes: readonly NetworkNode[]): string[] {
  const ends = nodes.flatMap(({ bridges, others }) => [...bridges.flatMap(({ ports }) => ports), ...others]);
  return [...new Set(ends.flatMap(({ attachment }) => attachment?.containerID ?? []))].sort();
}
