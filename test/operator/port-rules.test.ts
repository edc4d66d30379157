/** O9, M47: which of several rules takes the packets of a port, and the words for it. */
import { describe, expect, test } from "bun:test";
import { parseIp } from "../../src/net/ip.ts";
import { exactly, type FoundRule, type Rule } from "../../src/netfilter/rule.ts";
import type { OwnedRule } from "../../src/operator/owned-rules.ts";
import { type PortDocument, stateText } from "../../src/operator/port-document.ts";
import { findMappings } from "../../src/operator/port-rules.ts";

const ip = (text: string) => parseIp(text) ?? { family: 4 as const, value: 0n };

const found = (chain: string, rule: Rule, isWhole = true): FoundRule => ({
  chain,
  rule: isWhole ? rule : undefined,
  part: rule,
  target: rule.target,
});

/** Leads a port of the host, or of one of its addresses, to port 80 of a container. */
const dnat = (port: number, to: string, hostIp?: string): Rule => ({
  protocol: "tcp",
  port,
  ...(hostIp !== undefined && { destination: exactly(ip(hostIp)) }),
  verdict: "dnat",
  to: { address: ip(to), port: 80 },
});

const owned = (backend: string, containerId: string, rule: FoundRule): OwnedRule => ({
  ...{ purpose: "port", backend, family: 4, chain: rule.chain, mark: undefined, address: undefined },
  ...{ containerId, found: rule },
});

const ofNftables = (containerId: string, rule: Rule, chain = "hostports", isWhole = true): OwnedRule =>
  owned("nftables", containerId, found(chain, rule, isWhole));

/** The rule that leads some ports into a container's chain, and the chain's rules. */
const ofIptables = (
  containerId: string,
  ports: number[],
  rules: readonly Rule[],
  isWhole = true,
): OwnedRule[] => {
  const chain = `CNI-DN-${containerId}`;
  const entry = { protocol: "tcp", ports, verdict: "jump", target: chain, comment: "x" } as const;
  return [
    owned("iptables-nft", containerId, found("CNI-HOSTPORT-DNAT", entry, isWhole)),
    ...rules.map((rule) => owned("iptables-nft", containerId, found(chain, rule))),
  ];
};

const OPEN = { closed: [] };

/** Each mapping as "c1 8080", with what takes its packets. */
const said = (
  rules: readonly OwnedRule[],
  { closed }: { closed: Parameters<typeof findMappings>[1] } = OPEN,
) =>
  findMappings(rules, closed).map(({ rule, mapping, unreached, shadowedBy, contestedBy, isConditional }) =>
    [
      `${rule.containerId} ${mapping.hostPort}`,
      ...(isConditional ? ["conditional"] : []),
      ...(unreached === undefined ? [] : [unreached]),
      ...(shadowedBy === undefined ? [] : [`shadowed by ${shadowedBy.rule.containerId}`]),
      ...(contestedBy === undefined ? [] : [`contested by ${contestedBy.rule.containerId}`]),
    ].join(", "),
  );

describe("O9, M47: of rules for one port", () => {
  test("the first one leads", () => {
    const rules = [ofNftables("c1", dnat(8080, "10.1.2.3")), ofNftables("c2", dnat(8080, "10.1.2.4"))];
    expect(said(rules)).toEqual(["c1 8080", "c2 8080, shadowed by c1"]);
    expect(said([...rules].reverse())).toEqual(["c2 8080", "c1 8080, shadowed by c2"]);
  });

  test("the chain of old versions comes first", () => {
    const old = ofNftables("old", dnat(8080, "10.1.2.4"), "hostip_hostports");
    expect(said([ofNftables("c1", dnat(8080, "10.1.2.3")), old])).toEqual([
      "old 8080",
      "c1 8080, shadowed by old",
    ]);
  });

  test("in iptables the order of the rules that lead into chains counts", () => {
    const [one, two] = [
      ofIptables("c1", [8080], [dnat(8080, "10.1.2.3")]),
      ofIptables("c2", [8080], [dnat(8080, "10.1.2.4")]),
    ];
    const [first] = two;
    const entries = first === undefined ? [] : [first];
    expect(said([...entries, ...one, ...two.slice(1)])).toEqual(["c2 8080", "c1 8080, shadowed by c2"]);
  });

  test.each([
    ["another port", dnat(8081, "10.1.2.4")],
    ["another protocol", { ...dnat(8080, "10.1.2.4"), protocol: "udp" } as const],
    ["one address of the host", dnat(8080, "10.1.2.4", "192.0.2.1")],
  ])("one for %s takes nothing of the others", (_, rule) => {
    expect(said([ofNftables("c2", rule), ofNftables("c1", dnat(8080, "10.1.2.3"))])[1]).toBe("c1 8080");
  });

  test("one for all addresses takes what is for one of them", () => {
    const rules = [
      ofNftables("c1", dnat(8080, "10.1.2.3")),
      ofNftables("c2", dnat(8080, "10.1.2.4", "192.0.2.1")),
    ];
    expect(said(rules)).toEqual(["c1 8080", "c2 8080, shadowed by c1"]);
  });

  test("one with conditions takes only some packets", () => {
    const conditional = ofNftables("c2", dnat(8080, "10.1.2.4"), "hostports", false);
    expect(said([conditional, ofNftables("c1", dnat(8080, "10.1.2.3"))])).toEqual([
      "c2 8080, conditional",
      "c1 8080",
    ]);
    const source = { ...dnat(8080, "10.1.2.4"), source: exactly(ip("192.0.2.1")) };
    expect(said([ofNftables("c2", source)])).toEqual(["c2 8080, conditional"]);
    expect(said(ofIptables("c2", [8080], [dnat(8080, "10.1.2.4")], false))).toEqual(["c2 8080, conditional"]);
  });

  test("of two backends none is known to be first", () => {
    const rules = [
      ofNftables("c1", dnat(8080, "10.1.2.3")),
      ...ofIptables("c2", [8080], [dnat(8080, "10.1.2.4")]),
    ];
    expect(said(rules)).toEqual(["c1 8080, contested by c2", "c2 8080, contested by c1"]);
  });
});

describe("O9, M55: no packet reaches a rule", () => {
  const closed = [{ family: 4, variant: "nft", missing: "PREROUTING is empty" }] as const;

  test("if nothing leads to the backend's rules, which then shadow nothing", () => {
    const rules = [
      ...ofIptables("c2", [8080], [dnat(8080, "10.1.2.4")]),
      ofNftables("c1", dnat(8080, "10.1.2.3")),
    ];
    expect(said(rules, { closed })).toEqual(["c2 8080, PREROUTING is empty, contested by c1", "c1 8080"]);
  });

  test("if no rule leads its port into the container's chain", () => {
    const rules = ofIptables("c1", [8081], [dnat(8081, "10.1.2.3"), dnat(8080, "10.1.2.3")]);
    expect(said(rules)).toEqual([
      "c1 8081",
      "c1 8080, chain CNI-HOSTPORT-DNAT has no rule that leads to CNI-DN-c1 for its port",
    ]);
  });
});

describe("O9: the words for a state", () => {
  const port = (given: Partial<PortDocument>): PortDocument => ({
    ...{
      hostIP: "0.0.0.0",
      hostPort: 8080,
      protocol: "tcp",
      family: "ipv4",
      address: "10.1.2.3",
      containerPort: 80,
    },
    ...{ containerID: "c1", ifname: "eth0", network: "net1", backend: "nftables" },
    ...{ state: "leads", openToAll: false, rival: null, process: null, why: null },
    ...given,
  });
  const rival = { containerID: "0123456789abcdef", network: "net2", backend: "iptables-nft" };

  test.each<[Partial<PortDocument>, string]>([
    [{}, "leads"],
    [{ openToAll: true }, "leads, open to all"],
    [{ state: "shadowed", rival }, "shadowed by 0123456789abc (net2)"],
    [
      { state: "shadowed", rival: { ...rival, containerID: null, network: null } },
      "shadowed by another container",
    ],
    [
      { state: "shadowed", rival: { ...rival, containerID: "c1", network: "net1" } },
      "shadowed by an earlier rule of its own",
    ],
    [{ state: "contested", rival }, "leads, or is shadowed by 0123456789abc (iptables-nft)"],
    [{ state: "dead", why: "its network namespace is gone" }, "dead: its network namespace is gone"],
    [{ state: "taken", openToAll: true, process: { pid: 7, name: "nginx" } }, "taken by process 7 (nginx)"],
    [{ state: "taken" }, "taken by a program of the host"],
  ])("%j", (given, words) => {
    expect(stateText(port(given))).toBe(words);
  });
});
