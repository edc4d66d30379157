/** What `show` shows of an attachment: its leases, ports and rules. */
import { formatIp } from "../../net/ip.ts";
import { ruleText } from "../../netfilter/rule.ts";
import type { FoundAttachment } from "../attachments.ts";
import type { JudgedLease } from "../lease-states.ts";
import type { OwnedRule } from "../owned-rules.ts";
import { portDocument } from "../port-document.ts";
import type { PublishedPort } from "../port-list.ts";
import type { AttachmentNode, NetworkNode, RuleNode } from "./nodes.ts";

/** All ports of the host by their attachment, and all leases. */
export interface Known {
  readonly ports: ReadonlyMap<FoundAttachment | undefined, readonly PublishedPort[]>;
  /** By their paths. */
  readonly leases: ReadonlyMap<string, JudgedLease>;
}

/** The node of an attachment. */
export function attachmentNode(attachment: FoundAttachment, { leases, ports }: Known): AttachmentNode {
  const { network, containerId, ifname, rules } = attachment;
  const own = attachment.leases.flatMap(({ path }) => leases.get(path) ?? []);
  const published = ports.get(attachment) ?? [];
  return {
    ...{ network, containerID: containerId, ifname: ifname || null },
    leases: own.map(({ address, state, why }) => ({ address: formatIp(address), state, why })),
    ...portsAndRules(published, rules),
  };
}

/** Each port with the rules that are about it, and the other rules. */
function portsAndRules(
  published: readonly PublishedPort[],
  rules: readonly OwnedRule[],
): Pick<AttachmentNode, "ports" | "rules"> {
  const rest = new Set(rules);
  const ports = published.map((port) => {
    const own = rules.filter((rule) => isAbout(rule, port));
    for (const rule of own) rest.delete(rule);
    return { ...portDocument(port), rules: own.map(ruleNode) };
  });
  return { ports, rules: [...rest].map(ruleNode) };
}

/** In iptables also what leads into the port's chain, and what marks its packets there. */
function isAbout(rule: OwnedRule, { rule: own, mapping: { hostPort, protocol } }: PublishedPort): boolean {
  if (rule === own) return true;
  const part = rule.found?.part;
  if (own === undefined || part === undefined || rule.purpose !== "port") return false;
  if (rule.backend !== own.backend || part.protocol !== protocol) return false;
  if (rule.chain === own.chain) return part.to === undefined && part.port === hostPort;
  return part.target === own.chain && part.ports?.includes(hostPort) === true;
}

function ruleNode({ purpose, backend, chain, address, found }: OwnedRule): RuleNode {
  const rule = found?.rule ?? found?.part;
  // The firewall's own table has sets of addresses.
  const text = rule === undefined ? (address === undefined ? "" : formatIp(address)) : ruleText(rule);
  return { purpose, backend, chain, rule: text };
}

/** Adds what is left of containers that nothing else on this host tells of. */
export function withOrphans(
  nodes: NetworkNode[],
  orphans: readonly OwnedRule[],
  { ports }: Known,
): NetworkNode[] {
  const groups = Map.groupBy(orphans, ({ network, containerId, ifname, address }) =>
    JSON.stringify([
      network,
      containerId,
      ifname,
      containerId === undefined ? address && formatIp(address) : 0,
    ]),
  );
  const byNetwork = new Map(nodes.map((node) => [node.network, node]));
  for (const rules of groups.values()) {
    const [first] = rules;
    if (first === undefined) continue;
    const { network = null, containerId = null, ifname = null } = first;
    const published =
      ports.get(undefined)?.filter(({ rule }) => rule !== undefined && rules.includes(rule)) ?? [];
    const attachment = {
      ...{ network, containerID: containerId, ifname: ifname || null, leases: [] },
      ...portsAndRules(published, rules),
    };
    const node = byNetwork.get(network) ?? { network, file: null, bridges: [], others: [] };
    byNetwork.set(network, {
      ...node,
      others: [...node.others, { link: null, namespace: null, attachment }],
    });
  }
  return [...byNetwork.values()];
}
