/** A made-up host for the tests of what `show` finds and draws. */
import type { AttachmentNode, EndNode, NetworkNode, PortNode } from "../../../src/operator/show/nodes.ts";

const ID = "0123456789abcdef";

export const RULE = {
  ...{ purpose: "masquerade", backend: "nftables", chain: "masq_checks" },
  rule: "-s 10.1.2.3/32 -j MASQUERADE",
};

/** An attachment on net1. */
export const attachment = (given: Partial<AttachmentNode>): AttachmentNode => ({
  ...{ network: "net1", containerID: "c1", ifname: "eth0", leases: [], ports: [], rules: [] },
  ...given,
});

/** Its end, with one address. */
export const end = (netns: string, address: string, node: AttachmentNode | null): EndNode => ({
  namespace: {
    ...{ netns, ifname: "eth0", mac: "02:00:00:00:00:01", mtu: 1500, up: true },
    addresses: [address],
    routes: [{ dst: "0.0.0.0/0", gw: "10.1.2.1" }],
  },
  attachment: node,
});

const port = (ifname: string, node: EndNode, given: Partial<PortNode> = {}): PortNode => ({
  ...{ ifname, mac: "0e:00:00:00:00:01", mtu: 1500, up: true, vlans: [], hairpin: false, isolated: false },
  ...node,
  ...given,
});

/** A port of the host that leads to 10.1.2.3. */
export const published = (hostPort: number, protocol: string, hostIP = "0.0.0.0") => ({
  ...{ hostIP, hostPort, protocol, family: "ipv4", containerID: `${ID}1`, ifname: "eth0", network: "net1" },
  ...{
    address: "10.1.2.3",
    containerPort: 80,
    backend: "nftables",
    state: "leads" as const,
    openToAll: true,
  },
  ...{ rival: null, process: null, why: null, rules: [] },
});

const EMPTY_BRIDGE = {
  ...{ present: true, mac: "0e:00:00:00:00:09", mtu: 1500, up: true, vlanFiltering: false, vlans: [] },
  ...{ addresses: [], masquerade: [], ingressPolicy: "open" as const, ports: [] },
};

/** Two containers of long ids and one foreign port on br0, a dead lease; another network, and rules of no network. */
export const NODES: readonly NetworkNode[] = [
  {
    network: "net1",
    file: "/etc/cni/net.d/10-net1.conflist",
    bridges: [
      {
        ...EMPTY_BRIDGE,
        ifname: "br0",
        addresses: ["10.1.2.1/24", "fd00::1/64"],
        vlanFiltering: true,
        masquerade: ["nftables"],
        ingressPolicy: "same-bridge",
        ports: [
          port(
            "veth1",
            end(
              "/run/netns/a",
              "10.1.2.3/24",
              attachment({
                containerID: `${ID}1`,
                leases: [{ address: "10.1.2.3", state: "alive", why: "its namespace lives" }],
                ports: [published(8080, "tcp"), published(5353, "udp", "192.0.2.1")],
                rules: [RULE],
              }),
            ),
            {
              isolated: true,
              hairpin: true,
              vlans: [
                { first: 5, last: 5, untagged: true },
                { first: 7, last: 9, untagged: false },
              ],
            },
          ),
          port("veth2", end("/run/netns/b", "fd00::4/64", attachment({ containerID: `${ID}2` }))),
          port("eth1", { namespace: null, attachment: null }),
        ],
      },
    ],
    others: [
      {
        link: null,
        namespace: null,
        attachment: attachment({
          containerID: "gone",
          leases: [{ address: "10.1.2.9", state: "dead", why: "its network namespace is gone" }],
        }),
      },
    ],
  },
  {
    network: "net2",
    file: null,
    bridges: [{ ...EMPTY_BRIDGE, ifname: "cni0", present: false, mac: null, mtu: null }],
    others: [
      {
        link: { ifname: "veth9", mac: null, mtu: 1400, up: false, vlans: [] },
        ...end("/run/netns/p", "10.3.0.2/24", attachment({ network: "net2", containerID: "point" })),
      },
    ],
  },
  {
    network: null,
    file: null,
    bridges: [],
    others: [
      {
        link: null,
        namespace: null,
        attachment: attachment({ network: null, containerID: null, ifname: null, rules: [RULE] }),
      },
    ],
  },
];
