/** O9: how what was read of a host is joined to the tree of `show`. */
import { expect, test } from "bun:test";
import { parseIp } from "../../../src/net/ip.ts";
import { parsePrefix } from "../../../src/net/prefix.ts";
import type { Rule } from "../../../src/netfilter/rule.ts";
import { encodeBridge } from "../../../src/netlink/rtnetlink/bridge.ts";
import { encodeBridgePort } from "../../../src/netlink/rtnetlink/bridge-port.ts";
import type { FoundAttachment, HostLink } from "../../../src/operator/attachments.ts";
import type { OwnedRule } from "../../../src/operator/owned-rules.ts";
import type { PublishedPort } from "../../../src/operator/port-list.ts";
import type { Inside } from "../../../src/operator/show/inside.ts";
import { type Read, topologyOf } from "../../../src/operator/show/topology.ts";

const ip = (text: string) => parseIp(text) ?? { family: 4 as const, value: 0n };
const prefix = (text: string) => parsePrefix(text) ?? { address: ip(""), length: 0 };

const BRIDGE: HostLink = {
  ...{ index: 5, name: "br0", kind: "bridge", flags: 1, mtu: 1500 },
  data: encodeBridge({ vlanFiltering: true }),
};

/** A port of the bridge, whose other end has the index 2 in the namespace of this number. */
const veth = (
  index: number,
  linkNetnsId: number,
  port: Parameters<typeof encodeBridgePort>[0] = {},
): HostLink => ({
  ...{ index, name: `veth${index}`, kind: "veth", flags: 1, mtu: 1500, master: 5, portKind: "bridge" },
  ...{ linkNetnsId, peerIndex: 2, portData: encodeBridgePort(port) },
});

const inside = (netnsId: number, address: string): Inside => ({
  ...{ path: `/run/netns/${netnsId}`, netnsId },
  interfaces: [
    {
      ...{ index: 2, name: "eth0", mac: undefined, mtu: 1500, isUp: true },
      addresses: [prefix(address)],
      routes: [],
    },
  ],
});

const rule = (chain: string, part: Rule, given: Partial<OwnedRule> = {}): OwnedRule => ({
  ...{ purpose: "port", backend: "iptables-nft", family: 4, chain, mark: undefined, address: undefined },
  found: { chain, rule: part, part, target: part.target },
  ...given,
});

/** Known by libcni's cache alone, as an attachment that the reference has made. */
const attachment = (
  containerId: string,
  address: string,
  given: Partial<FoundAttachment> = {},
): FoundAttachment => ({
  ...{ network: "net1", containerId, ifname: "eth0", leases: [], links: [], netns: undefined, rules: [] },
  cached: {
    ...{ file: "", network: "net1", containerId, ifname: "eth0", netns: undefined, config: undefined },
    ...{ cniArgs: [], capabilityArgs: {}, result: { cniVersion: "1.0.0", ips: [{ address }] } },
  },
  ...given,
});

const read = (given: Partial<Read["host"]>, others: Partial<Omit<Read, "host">> = {}): Read => ({
  host: { networks: { networks: [], broken: [] }, links: [], attachments: [], orphans: [], ...given },
  ...{
    ports: new Map(),
    leases: new Map(),
    insides: [],
    addresses: new Map(),
    vlans: new Map(),
    policies: new Map(),
  },
  ...others,
});

test("O9: an attachment without any mark is at the port that leads to its address", () => {
  const [net1, net2] = topologyOf(
    read(
      {
        links: [BRIDGE, veth(6, 0, { isolated: true, hairpin: true }), veth(7, 1), veth(8, 2)],
        attachments: [
          attachment("c1", "10.1.2.3/24"),
          attachment("other", "10.1.2.4/24", { network: "net2" }),
          attachment("gone", "10.1.2.9/24"),
        ],
      },
      {
        insides: [inside(0, "10.1.2.3/24"), inside(1, "10.1.2.4/24"), inside(2, "10.1.2.5/24")],
        addresses: new Map([[5, [prefix("10.1.2.1/24")]]]),
        vlans: new Map([
          [
            6,
            [
              { vid: 5, untagged: true },
              { vid: 7, end: 9 },
            ],
          ],
        ]),
        policies: new Map([["br0", "isolated"]]),
      },
    ),
  );
  expect(net1).toMatchObject({
    network: "net1",
    bridges: [
      {
        ...{ ifname: "br0", addresses: ["10.1.2.1/24"], vlanFiltering: true, ingressPolicy: "isolated" },
        ports: [
          {
            ...{ ifname: "veth6", isolated: true, hairpin: true },
            vlans: [
              { first: 5, last: 5, untagged: true },
              { first: 7, last: 9, untagged: false },
            ],
            namespace: { netns: "/run/netns/0", addresses: ["10.1.2.3/24"] },
            attachment: { containerID: "c1" },
          },
          // That of another network is left out, one of no network is shown.
          { ifname: "veth8", namespace: { netns: "/run/netns/2" }, attachment: null },
        ],
      },
    ],
    others: [{ namespace: null, attachment: { containerID: "gone" } }],
  });
  expect(net2?.bridges[0]?.ports.map(({ ifname }) => ifname)).toEqual(["veth7", "veth8"]);
});

test("O9: an address that two networks have is at the network's bridge, and at no port of another attachment", () => {
  const other: HostLink = { ...BRIDGE, index: 9, name: "br1" };
  const links = [BRIDGE, other, { ...veth(6, 0), master: 9 }, veth(7, 1), veth(8, 2)];
  const plugins = [{ type: "bridge", bridge: "br0" }];
  const net1 = { name: "net1", file: "x", cniVersion: "", plugins, document: {}, isList: true };
  const marked = attachment("marked", "10.1.2.3/24", { network: "net2", links: links.slice(3, 4) });
  const insides = [inside(0, "10.1.2.3/24"), inside(1, "10.1.2.3/24"), inside(2, "10.1.2.3/24")];
  const attachments = [attachment("c1", "10.1.2.3/24"), marked];
  const [node] = topologyOf(
    read({ networks: { networks: [net1], broken: [] }, links, attachments }, { insides }),
  );
  const ports = node?.bridges.flatMap((bridge) => bridge.ports) ?? [];
  expect(ports.map(({ ifname, attachment: at }) => `${ifname} ${at?.containerID}`)).toEqual(["veth8 c1"]);
});

test("O9: rules of iptables stand below the port that they are about, others below the attachment", () => {
  const own = rule("CNI-DN-1", {
    protocol: "tcp",
    port: 8080,
    verdict: "dnat",
    to: { address: ip("10.1.2.3"), port: 80 },
  });
  const rules = [
    rule("CNI-HOSTPORT-DNAT", { protocol: "tcp", ports: [8080, 8081], verdict: "jump", target: "CNI-DN-1" }),
    rule("CNI-DN-1", { protocol: "tcp", port: 8080, verdict: "jump", target: "CNI-HOSTPORT-SETMARK" }),
    rule("CNI-DN-1", { protocol: "udp", port: 8080, verdict: "jump", target: "CNI-HOSTPORT-SETMARK" }),
    own,
    rule("CNI-1", { verdict: "masquerade" }, { purpose: "masquerade", backend: "ip6tables-nft" }),
    rule("", { verdict: "accept" }, { purpose: "firewall", found: undefined, address: ip("10.1.2.3") }),
  ];
  const one = attachment("c1", "10.1.2.3/24", { links: [veth(6, 0)], rules });
  const port: PublishedPort = {
    ...{ network: "net1", containerId: "c1", ifname: "eth0", family: 4, address: ip("10.1.2.3"), rule: own },
    mapping: { protocol: "tcp", hostPort: 8080, containerPort: 80, hostIp: { family: 4, value: 0n } },
    ...{
      backend: "iptables-nft",
      state: "leads",
      why: undefined,
      by: undefined,
      process: undefined,
      isOpen: true,
    },
    attachment: one,
  };
  const links = [BRIDGE, ...one.links];
  const [net1] = topologyOf(read({ links, attachments: [one] }, { ports: new Map([[one, [port]]]) }));
  const [bridge] = net1?.bridges ?? [];
  expect(bridge?.masquerade).toEqual(["ip6tables-nft"]);
  const node = bridge?.ports[0]?.attachment;
  expect(node?.ports[0]?.rules.map((each) => each.rule)).toEqual([
    "-p tcp -m multiport --dports 8080,8081 -j CNI-DN-1",
    "-p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
    "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.2.3:80",
  ]);
  expect(node?.rules.map(({ purpose, rule: text }) => `${purpose}: ${text}`)).toEqual([
    "port: -p udp -m udp --dport 8080 -j CNI-HOSTPORT-SETMARK",
    "masquerade: -j MASQUERADE",
    "firewall: 10.1.2.3",
  ]);
});

test("O9: rules of containers that nothing else tells of are shown, with their network or without", () => {
  const orphans = [
    rule("CNI-1", { verdict: "masquerade" }, { purpose: "masquerade", network: "net1", containerId: "c1" }),
    rule("CNI-2", { verdict: "masquerade" }, { purpose: "masquerade", network: "net9", containerId: "c2" }),
    rule("", { verdict: "accept" }, { purpose: "firewall", found: undefined, address: ip("10.1.2.3") }),
    rule("", { verdict: "accept" }, { purpose: "firewall", found: undefined, address: ip("10.1.2.4") }),
  ];
  const nodes = topologyOf(read({ attachments: [attachment("c0", "10.1.2.9/24")], orphans }));
  expect(
    nodes.map(({ network, others }) => [
      network,
      ...others.map((each) => each.attachment?.containerID ?? null),
    ]),
  ).toEqual([
    ["net1", "c0", "c1"],
    ["net9", "c2"],
    [null, null, null],
  ]);
});
