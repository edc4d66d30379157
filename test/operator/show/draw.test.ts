/** O9, O3: how `show` draws what it shows, as a tree and as a graph. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dotOf } from "../../../src/operator/show/dot.ts";
import { type Branch, drawTree, networkBranch } from "../../../src/operator/show/draw.ts";
import { outputOf } from "../../support/command.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { attachment, end, NODES } from "./nodes.ts";

const PIPE = { columns: Number.POSITIVE_INFINITY, colour: false };

describe("O9: the tree", () => {
  test("goes from the network over bridge, port and namespace to ports and rules", () => {
    expect(drawTree(NODES.map(networkBranch), PIPE)).toBe(`network net1  /etc/cni/net.d/10-net1.conflist
├─ bridge br0  10.1.2.1/24  fd00::1/64  mac 0e:00:00:00:00:09  mtu 1500  filters VLANs  masquerades by nftables  ingress same-bridge
│  ├─ port veth1  mac 0e:00:00:00:00:01  mtu 1500  VLANs 5,7-9 tagged  hairpin  isolated
│  │  └─ namespace /run/netns/a  container 0123456789abcdef1  interface eth0
│  │     ├─ eth0  10.1.2.3/24  mac 02:00:00:00:00:01  mtu 1500
│  │     ├─ route 0.0.0.0/0  via 10.1.2.1
│  │     ├─ publishes 0.0.0.0:8080/tcp to 10.1.2.3:80  leads, open to all
│  │     ├─ publishes 192.0.2.1:5353/udp to 10.1.2.3:80  leads, open to all
│  │     └─ masquerade by nftables, chain masq_checks: -s 10.1.2.3/32 -j MASQUERADE
│  ├─ port veth2  mac 0e:00:00:00:00:01  mtu 1500
│  │  └─ namespace /run/netns/b  container 0123456789abcdef2  interface eth0
│  │     ├─ eth0  fd00::4/64  mac 02:00:00:00:00:01  mtu 1500
│  │     └─ route 0.0.0.0/0  via 10.1.2.1
│  └─ port eth1  mac 0e:00:00:00:00:01  mtu 1500  of no known attachment
└─ container gone  interface eth0
   └─ lease 10.1.2.9  dead: its network namespace is gone
network net2  without a configuration
├─ bridge cni0  it is not there
└─ link veth9  mtu 1400  down
   └─ namespace /run/netns/p  container point  interface eth0
      ├─ eth0  10.3.0.2/24  mac 02:00:00:00:00:01  mtu 1500
      └─ route 0.0.0.0/0  via 10.1.2.1
no known network  without a configuration
└─ an unknown container
   └─ masquerade by nftables, chain masq_checks: -s 10.1.2.3/32 -j MASQUERADE
`);
  });

  test("is cut to the terminal, has colours only where they may be used, and shows control characters", () => {
    const tree: Branch = {
      text: "a".repeat(50),
      below: [{ text: `b\x1b[2J${"b".repeat(50)}`, colour: "bad" }],
    };
    const lines = drawTree([tree], { columns: 20, colour: false }).split("\n");
    expect(lines).toEqual([`${"a".repeat(19)}…`, `└─ b\\x1b[2J${"b".repeat(8)}…`, ""]);
    expect(lines.map((line) => [...line].length)).toEqual([20, 20, 0]);
    expect(drawTree([{ text: "x", colour: "bad" }], { ...PIPE, colour: true })).toBe("\x1b[31mx\x1b[0m\n");
  });
});

/** A name whose quotes, backslash and line end would end a text of DOT. */
const HOSTILE = 'x"];\n}\\';

const GRAPHS = [
  ["all", NODES],
  ["nothing", []],
  [
    "a name that would end a text",
    [
      {
        network: HOSTILE,
        file: HOSTILE,
        bridges: [],
        others: [{ link: null, ...end(HOSTILE, "::1/128", attachment({ containerID: HOSTILE })) }],
      },
    ],
  ],
] as const;

describe("O9: the graph", () => {
  test.each(GRAPHS)("of %s keeps the grammar of DOT", (_, nodes) => {
    const [head, direction, font, ...lines] = dotOf(nodes).split("\n");
    expect([head, direction, font]).toEqual([
      "digraph bridgehead {",
      "  rankdir=LR;",
      '  node [fontname="monospace"];',
    ]);
    expect(lines.slice(-2)).toEqual(["}", ""]);
    const statement = /^( {2}n\d+ \[shape=\w+, label="([^"\\]|\\.)*"\];| {2}n\d+ -> n\d+;|)$/;
    for (const line of lines.slice(0, -2)) expect(line).toMatch(statement);
  });

  test("leads from networks over bridges and ports to containers and published ports", () => {
    const graph = dotOf(NODES);
    const labels = new Map(
      [...graph.matchAll(/(n\d+) \[.*label="([^"]*)"/g)].map(([, name = "", label = ""]) => [
        name,
        label.split("\\n")[0],
      ]),
    );
    const edges = [...graph.matchAll(/(n\d+) -> (n\d+)/g)].map(
      ([, from = "", to = ""]) => `${labels.get(from)} > ${labels.get(to)}`,
    );
    expect(edges).toEqual([
      ...["net1 > br0", "br0 > veth1", "veth1 > 0123456789abcdef1"],
      ...["0123456789abcdef1 > 0.0.0.0:8080/tcp", "0123456789abcdef1 > 192.0.2.1:5353/udp"],
      ...[
        "br0 > veth2",
        "veth2 > 0123456789abcdef2",
        "br0 > eth1",
        "net1 > gone",
        "net2 > cni0",
        "net2 > veth9",
        "veth9 > point",
      ],
      "no known network > an unknown container",
    ]);
  });

  testUnless(whyNoProgram("dot"))("is drawn by Graphviz", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dot-"));
    try {
      for (const [, nodes] of GRAPHS) {
        const file = join(folder, "graph.dot");
        await Bun.write(file, dotOf(nodes));
        await outputOf(["dot", "-Tsvg", "-o", `${file}.svg`, file]);
        expect(readFileSync(`${file}.svg`, "utf8")).toContain("</svg>");
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
