/**
 * What `show` shows, in the form of its --json document: network, bridge, port, namespace, and the attachment there with its
 * ports and rules. Names are those of CNI. Addresses are texts with their prefix length.
 */
import type { IngressPolicy } from "../../netfilter/firewall/layout.ts";
import type { PortDocument } from "../port-document.ts";

/** A network. */
export interface NetworkNode {
  /** Null for rules that name none. */
  readonly network: string | null;
  /** Its configuration. */
  readonly file: string | null;
  readonly bridges: readonly BridgeNode[];
  /** What is at no bridge of this host: other kinds of interfaces, and attachments of which only leases or rules are left. */
  readonly others: readonly OtherNode[];
}

/** A bridge, or the name of one that is not there. */
export interface BridgeNode extends LinkNode {
  readonly present: boolean;
  readonly addresses: readonly string[];
  readonly vlanFiltering: boolean;
  /** The backends that masquerade its containers. */
  readonly masquerade: readonly string[];
  /** Who may connect to its containers, by the plugin firewall. */
  readonly ingressPolicy: IngressPolicy;
  /** Those of the network, and those of no known network. */
  readonly ports: readonly PortNode[];
}

/** An interface of the host. */
export interface LinkNode {
  readonly ifname: string;
  readonly mac: string | null;
  readonly mtu: number | null;
  readonly up: boolean;
  readonly vlans: readonly VlanNode[];
}

/** A VLAN, or a range of them. */
export interface VlanNode {
  readonly first: number;
  readonly last: number;
  readonly untagged: boolean;
}

/** Where a port or an attachment leads. */
export interface EndNode {
  readonly namespace: NamespaceNode | null;
  readonly attachment: AttachmentNode | null;
}

/** What is at no bridge. */
export interface OtherNode extends EndNode {
  /** The interface of the host that leads there; null if there is none, or none is known. */
  readonly link: LinkNode | null;
}

/** A port of a bridge. */
export interface PortNode extends LinkNode, EndNode {
  readonly hairpin: boolean;
  /** It does not reach other isolated ports. */
  readonly isolated: boolean;
}

/** The container's interface in its namespace. */
export interface NamespaceNode {
  /** Null if it is bound to no path that is known. */
  readonly netns: string | null;
  readonly ifname: string;
  readonly mac: string | null;
  readonly mtu: number | null;
  readonly up: boolean;
  readonly addresses: readonly string[];
  /** Null if they could not be read. */
  readonly routes: readonly { readonly dst: string; readonly gw: string | null }[] | null;
}

/** An attachment. */
export interface AttachmentNode {
  readonly network: string | null;
  readonly containerID: string | null;
  readonly ifname: string | null;
  readonly leases: readonly { readonly address: string; readonly state: string; readonly why: string }[];
  readonly ports: readonly PublishedNode[];
  /** Those of no port. */
  readonly rules: readonly RuleNode[];
}

/** A published port, and its rules. */
export interface PublishedNode extends PortDocument {
  readonly rules: readonly RuleNode[];
}

/** A rule. */
export interface RuleNode {
  readonly purpose: string;
  readonly backend: string;
  readonly chain: string;
  /** As iptables-save would write it. */
  readonly rule: string;
}
