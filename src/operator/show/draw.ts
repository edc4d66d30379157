/** Draws what `show` shows as an indented tree. */
import type { Terminal } from "../input.ts";
import { containerEnd, hostEnd, stateText } from "../port-document.ts";
import { wrapped } from "../sentences.ts";
import { type Colour, coloured, printable } from "../table.ts";
import type {
  AttachmentNode,
  BridgeNode,
  EndNode,
  LinkNode,
  NamespaceNode,
  NetworkNode,
  OtherNode,
  PortNode,
  PublishedNode,
  RuleNode,
  VlanNode,
} from "./nodes.ts";

/** A line of the tree, and those below it. */
export interface Branch {
  readonly text: string;
  readonly colour?: Colour | undefined;
  readonly below?: readonly Branch[];
}

/**
 * The lines of trees. On a terminal that is too narrow they go on in the next line; rules, which --json has whole, are cut at
 * their ends, and so is a word without an end.
 */
export function drawTree(roots: readonly Branch[], terminal: Pick<Terminal, "columns" | "colour">): string {
  const lines: string[] = [];
  const draw = ({ text, colour, below = [] }: Branch, lead: string, indent: string): void => {
    const room = terminal.columns - lead.length;
    const whole = colour === "faint" ? printable(text) : wrapped(printable(text), room);
    const next = indent + (below.length > 0 ? "│  " : "   ");
    for (const [at, part] of whole.split("\n").entries()) {
      const start = at === 0 ? lead : next;
      const shown = cut(part, terminal.columns - start.length);
      lines.push(start + (colour === undefined ? shown : coloured(shown, colour, terminal)));
    }
    for (const [at, branch] of below.entries()) {
      const isLast = at === below.length - 1;
      draw(branch, indent + (isLast ? "└─ " : "├─ "), indent + (isLast ? "   " : "│  "));
    }
  };
  for (const root of roots) draw(root, "", "");
  return lines.map((line) => `${line}\n`).join("");
}

function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, Math.max(most - 1, 0)).join("")}…`;
}

/** Parts of a line, without those that are not known. */
const line = (...parts: readonly (string | false | null | undefined)[]): string =>
  parts.filter((part) => typeof part === "string" && part !== "").join("  ");

/** A network and all below it. */
export const networkBranch = ({ network, file, bridges, others }: NetworkNode): Branch => ({
  text: line(network === null ? "no known network" : `network ${network}`, file ?? "without a configuration"),
  below: [...bridges.map(bridgeBranch), ...others.map(otherBranch)],
});

function bridgeBranch(bridge: BridgeNode): Branch {
  if (!bridge.present) return { text: line(`bridge ${bridge.ifname}`, "it is not there"), colour: "warning" };
  const { addresses, masquerade, ingressPolicy, ports } = bridge;
  return {
    text: line(
      `bridge ${bridge.ifname}`,
      ...addresses,
      linkText(bridge),
      bridge.vlanFiltering && "filters VLANs",
      masquerade.length > 0 && `masquerades by ${masquerade.join(", ")}`,
      ingressPolicy !== "open" && `ingress ${ingressPolicy}`,
    ),
    below: ports.map(portBranch),
  };
}

const linkText = ({ mac, mtu, up, vlans }: LinkNode): string =>
  line(
    mac !== null && `mac ${mac}`,
    mtu !== null && `mtu ${mtu}`,
    !up && "down",
    vlans.length > 0 && `VLANs ${vlans.map(vlanText).join(",")}`,
  );

/** As in "5", "7-9 tagged". */
const vlanText = ({ first, last, untagged }: VlanNode): string =>
  `${first === last ? first : `${first}-${last}`}${untagged ? "" : " tagged"}`;

const portBranch = (port: PortNode): Branch => ({
  text: line(
    `port ${port.ifname}`,
    linkText(port),
    port.hairpin && "hairpin",
    port.isolated && "isolated",
    port.attachment === null && "of no known attachment",
  ),
  below: port.namespace === null && port.attachment === null ? [] : [endBranch(port)],
});

const otherBranch = (other: OtherNode): Branch =>
  other.link === null
    ? endBranch(other)
    : { text: line(`link ${other.link.ifname}`, linkText(other.link)), below: [endBranch(other)] };

function endBranch({ namespace, attachment }: EndNode): Branch {
  const container = attachment === null ? undefined : containerText(attachment);
  const below = [
    ...(namespace === null ? [] : interfaceBranches(namespace)),
    ...(attachment === null ? [] : attachmentBranches(attachment, namespace !== null)),
  ];
  if (namespace === null) return { text: container ?? "", below };
  return { text: line(`namespace ${namespace.netns ?? "without a path"}`, container), below };
}

const containerText = ({ containerID, ifname }: AttachmentNode): string =>
  line(
    containerID === null ? "an unknown container" : `container ${containerID}`,
    ifname !== null && `interface ${ifname}`,
  );

function interfaceBranches({ ifname, addresses, routes, ...link }: NamespaceNode): Branch[] {
  return [
    { text: line(ifname, ...addresses, linkText({ ...link, ifname, vlans: [] })) },
    ...(routes ?? []).map(({ dst, gw }) => ({
      text: line(`route ${dst}`, gw !== null && `via ${gw}`),
    })),
  ];
}

/** The lease of a container whose namespace is shown says nothing new, unless it is dead. */
function attachmentBranches({ leases, ports, rules }: AttachmentNode, isInside: boolean): Branch[] {
  const told = leases.filter(({ state }) => !isInside || state !== "alive");
  return [
    ...told.map(
      ({ address, state, why }): Branch => ({
        text: `lease ${address}  ${state}: ${why}`,
        colour: state === "dead" ? "bad" : "warning",
      }),
    ),
    ...ports.map(publishedBranch),
    ...rules.map(ruleBranch),
  ];
}

function publishedBranch(port: PublishedNode): Branch {
  const isFine = port.state === "leads";
  return {
    text: `publishes ${hostEnd(port)}/${port.protocol} to ${containerEnd(port)}  ${stateText(port)}`,
    colour: isFine ? undefined : "warning",
    below: port.rules.map(ruleBranch),
  };
}

/** As in "masquerade by nftables, chain masq_checks: -s 10.1.2.3/32 -j MASQUERADE". */
const ruleBranch = ({ purpose, backend, chain, rule }: RuleNode): Branch => ({
  text: `${purpose === "port" ? "rule" : purpose} by ${backend}${chain === "" ? "" : `, chain ${chain}`}: ${rule}`,
  colour: "faint",
});
