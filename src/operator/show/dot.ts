/** Writes what `show` shows in the DOT language of Graphviz. */
import { containerEnd, hostEnd, stateText } from "../port-document.ts";
import type { EndNode, NetworkNode } from "./nodes.ts";

/** A graph: networks, bridges, ports, namespaces and published ports as boxes, from left to right. */
export function dotOf(nodes: readonly NetworkNode[]): string {
  const graph = new Graph();
  for (const { network, file, bridges, others } of nodes) {
    const root = graph.node(`network ${network ?? ""}`, "folder", [network ?? "no known network", file]);
    for (const bridge of bridges) {
      const { ifname, present, addresses, masquerade } = bridge;
      const labels = [
        ifname,
        present ? undefined : "it is not there",
        ...addresses,
        masquerade.length > 0 ? "masquerades" : undefined,
      ];
      // Networks may share a bridge.
      const at = graph.node(`link ${ifname}`, "component", labels);
      graph.edge(root, at);
      for (const port of bridge.ports) {
        const link = graph.node(`link ${port.ifname}`, "box", [
          port.ifname,
          port.isolated ? "isolated" : undefined,
        ]);
        graph.edge(at, link);
        graph.end(link, port);
      }
    }
    for (const other of others) {
      const { link } = other;
      const from = link === null ? root : graph.node(`link ${link.ifname}`, "box", [link.ifname]);
      if (from !== root) graph.edge(root, from);
      graph.end(from, other);
    }
  }
  return graph.text();
}

class Graph {
  private readonly names = new Map<string, string>();
  private readonly edges = new Set<string>();
  private readonly lines: string[] = [];

  /** A node, which is added if its key is new. */
  node(key: string, shape: string, labels: readonly (string | null | undefined)[]): string {
    const known = this.names.get(key);
    if (known !== undefined) return known;
    const name = `n${this.names.size}`;
    this.names.set(key, name);
    const label = labels
      .flatMap((each) => (each === null || each === undefined ? [] : escaped(each)))
      .join("\\n");
    this.lines.push(`  ${name} [shape=${shape}, label="${label}"];`);
    return name;
  }

  edge(from: string, to: string): void {
    const line = `  ${from} -> ${to};`;
    if (!this.edges.has(line)) this.lines.push(line);
    this.edges.add(line);
  }

  /** What a port or a network leads to. */
  end(from: string, { namespace, attachment }: EndNode): void {
    if (namespace === null && attachment === null) return;
    const { containerID = null, network = null, ifname = null, leases = [], ports = [] } = attachment ?? {};
    const labels = [
      containerID ?? (attachment === null ? undefined : "an unknown container"),
      namespace?.netns,
      namespace?.ifname ?? ifname,
      ...(namespace?.addresses ?? leases.map(({ address, state }) => `${address} ${state}`)),
    ];
    const at = this.node(
      `end ${from} ${network} ${containerID} ${ifname} ${namespace?.netns}`,
      "tab",
      labels,
    );
    this.edge(from, at);
    for (const port of ports) {
      const host = `${hostEnd(port)}/${port.protocol}`;
      const key = `port ${host} ${port.backend} ${containerEnd(port)}`;
      this.edge(at, this.node(key, "cds", [host, `to ${containerEnd(port)}`, stateText(port)]));
    }
  }

  text(): string {
    return `digraph bridgehead {\n  rankdir=LR;\n  node [fontname="monospace"];\n${this.lines.join("\n")}\n}\n`;
  }
}

/** A text within a double-quoted string of DOT. Control characters, which names may contain, would break a label. */
const escaped = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "?").replaceAll(/["\\]/g, "\\$&");
