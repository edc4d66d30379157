/** O9: `ports` and `show` on real networks, of all backends, by these plugins and by the reference's. */
import { expect } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { referencePlugin, whyNoReference } from "../../support/reference-plugin.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { BRIDGE, NETWORK, SETTLES, STAYS, shownLink } from "../bridge/network.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import type { Backend } from "../portmap/pod.ts";
import { Server } from "../portmap/traffic.ts";
import { addressesOf, FOLDER, ID, PORTS, Scene, WEB } from "./published-network.ts";

/** The reference leaves route_localnet, and this program what the tests take from it. */
const MAY_KEEP = [...STAYS, /^sysctl net\.ipv4\.conf\.br0\./];

const sceneTest = hostTests({ mayKeep: MAY_KEEP });

sceneTest.each([
  ["nftables", "nftables", "nftables", "nft flush chain ip cni_hostport prerouting"],
  ["iptables", "iptables-nft", "ip6tables-nft", "iptables-nft -t nat -F PREROUTING"],
] as [Backend, string, string, string][])("O9: ports of %s", async (host, backend, v4, v6, close) => {
  const scene = new Scene(host, backend);
  const one = await scene.add(ID, "c1", [...PORTS, { hostPort: 9090, containerPort: 90, protocol: "tcp" }]);
  const [a4, a6] = addressesOf(one.one);
  const own = [
    `10.77.0.1:5353/udp long ${a4}:53 testnet ${v4} leads`,
    `0.0.0.0:8080/tcp long ${a4}:80 testnet ${v4} leads open`,
    `:::8080/tcp long ${a6}:80 testnet ${v6} leads open`,
    `0.0.0.0:9090/tcp long ${a4}:90 testnet ${v4} leads open`,
    `:::9090/tcp long ${a6}:90 testnet ${v6} leads open`,
  ];
  expect(await scene.ports()).toEqual(own);

  // The newest mapping of a port wins, and a process of the host gets nothing.
  const two = await scene.add("c2", "c2", WEB);
  const server = await Server.start(undefined, 9090, "127.0.0.1");
  const [b4, b6] = addressesOf(two.one);
  const [dns = "", , , , open6 = ""] = own;
  const shadowed = [
    `0.0.0.0:8080/tcp long ${a4}:80 testnet ${v4} shadowed`,
    `:::8080/tcp long ${a6}:80 testnet ${v6} shadowed`,
  ];
  expect((await scene.ports(NETWORK)).sort()).toEqual(
    [
      ...[dns, open6, ...shadowed, `0.0.0.0:9090/tcp long ${a4}:90 testnet ${v4} taken open`],
      `0.0.0.0:8080/tcp c2 ${b4}:80 testnet ${v4} leads open`,
      `:::8080/tcp c2 ${b6}:80 testnet ${v6} leads open`,
    ].sort(),
  );
  const table = (await scene.run(["ports"], 100)).stdout.split("\n");
  expect(table[0]).toMatch(/^HOST +PROTO +CONTAINER +TO +NETWORK +BACKEND +STATE$/);
  for (const line of table) expect([...line].length).toBeLessThanOrEqual(100);
  const { stdout } = await scene.run(["ports"]);
  expect(stdout).toMatch(new RegExp(`^0\\.0\\.0\\.0:9090 +tcp .* taken by process ${server.pid} \\(`, "m"));
  expect(stdout).toMatch(new RegExp(`^0\\.0\\.0\\.0:8080 +tcp +${ID} .* shadowed by c2 \\(testnet\\)$`, "m"));
  const seen = (await scene.run(["doctor", "--json"])).stdout;
  expect(JSON.parse(seen).rows.filter(({ check }: { check: string }) => check === "ports")).toEqual([
    {
      ...{ state: "warn", code: "BH405", check: "ports", object: `${NETWORK}/${ID.slice(0, 13)}/eth0` },
      message: expect.stringMatching(
        new RegExp(
          `^process ${server.pid} \\(.+\\) of the host listens on 9090/tcp, and gets no .* ${a4}:90$`,
        ),
      ),
      remedy: `end process ${server.pid}, or publish another port than 9090`,
    },
  ]);
  expect((await scene.run(["ports", "-q"])).stdout).toBe("10.77.0.1:5353/udp\n8080/tcp\n9090/tcp\n");
  expect(await scene.run(["ports", "other"])).toMatchObject({ exitCode: 1, stdout: "" });
  await server[Symbol.asyncDispose]();

  // A container that ended without DEL, and rules to which nothing leads any more.
  await host.run("ip netns delete c2");
  await eventually("the end of c2", async () => (await scene.ports()).some((port) => port.endsWith(" dead")));
  expect((await scene.ports()).filter((port) => port.includes(" c2 "))).toEqual([
    `0.0.0.0:8080/tcp c2 ${b4}:80 testnet ${v4} dead`,
    `:::8080/tcp c2 ${b6}:80 testnet ${v6} dead`,
  ]);
  await host.run(close);
  expect((await scene.ports()).filter((port) => port.includes(" long "))).toEqual(
    expect.arrayContaining([
      `10.77.0.1:5353/udp long ${a4}:53 testnet ${v4} unreachable`,
      `:::9090/tcp long ${a6}:90 testnet ${v6} leads open`,
    ]),
  );

  // Without its rules, libcni's cache still knows the port.
  await one.pod.del({ backend });
  expect((await scene.ports()).filter((port) => port.includes(":5353/"))).toEqual([
    `10.77.0.1:5353/udp long ${a4}:53 testnet null lost`,
  ]);
  // Something is left in a table that was flushed, so DEL does not remove it.
  await host.run("nft delete table ip cni_hostport 2>/dev/null || true");
  await scene.end(one, two);
});

hostTests({ mayKeep: MAY_KEEP }, testUnless(await whyNoLegacy()))(
  "O9: ports of iptables-legacy",
  async (host) => {
    const legacy = await legacyHost();
    const scene = new Scene(host, "iptables");
    const one = await scene.add("c1", "c1", PORTS);
    const [a4, a6] = addressesOf(one.one);
    expect(await scene.ports()).toEqual([
      `10.77.0.1:5353/udp c1 ${a4}:53 testnet iptables-legacy leads`,
      `0.0.0.0:8080/tcp c1 ${a4}:80 testnet iptables-legacy leads open`,
      `:::8080/tcp c1 ${a6}:80 testnet ip6tables-legacy leads open`,
    ]);
    await scene.end(one);
    await host.run("for x in iptables-legacy ip6tables-legacy; do $x -t nat -F; $x -t nat -X; done");
    await legacy[Symbol.asyncDispose]();
  },
);

/** What `show --json` says of one attachment, as far as it must be so whoever has made it. */
async function shown(scene: Scene, ...words: string[]) {
  const { exitCode, stdout, stderr } = await scene.run(["show", ...words, "--json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout).networks;
}

/** Everything of the network "testnet" with this one container, by `show`, and each name that finds it. */
async function judgeShow(
  host: ScratchHost,
  scene: Scene,
  { one }: Awaited<ReturnType<Scene["add"]>>,
): Promise<void> {
  const [port] = one.result.interfaces.filter(({ sandbox }) => !sandbox).slice(1);
  const veth = port?.name ?? "";
  const [a4 = "", a6 = ""] = addressesOf(one);
  const bridge = await shownLink(host, BRIDGE);
  const inside = await shownLink(one.namespace, "eth0");
  const everything = await shown(scene);
  expect(everything).toMatchObject([
    {
      network: NETWORK,
      file: `${FOLDER}/10-net.conflist`,
      bridges: [
        {
          ...{ ifname: BRIDGE, present: true, mac: bridge.address, mtu: 1500, up: true },
          ...{ addresses: ["10.77.0.1/24", "fd77::1/64"], vlanFiltering: false, ingressPolicy: "open" },
          ports: [
            {
              ...{ ifname: veth, mac: (await shownLink(host, veth)).address, isolated: false },
              namespace: {
                ...{
                  netns: `/run/netns/${one.namespace.name}`,
                  ifname: "eth0",
                  mac: inside.address,
                  mtu: 1500,
                  up: true,
                },
                addresses: [`${a4}/24`, `${a6}/64`],
              },
              attachment: { network: NETWORK, containerID: one.containerId, ifname: "eth0" },
            },
          ],
        },
      ],
      others: [],
    },
  ]);
  const [{ bridges }] = everything;
  const [{ masquerade, ports }] = bridges;
  expect(masquerade.length).toBeGreaterThan(0);
  const { attachment } = ports[0];
  expect(attachment.ports.map((each: { hostPort: number }) => each.hostPort)).toEqual([5353, 8080, 8080]);
  for (const each of attachment.ports) expect(each.rules.length).toBeGreaterThan(0);
  expect(attachment.rules.map((rule: { purpose: string }) => rule.purpose)).toContain("masquerade");
  const id = one.containerId;
  for (const name of [
    NETWORK,
    id,
    id.slice(0, 2),
    BRIDGE,
    veth,
    a4,
    a6.toUpperCase(),
    "10.77.0.1",
    "8080",
    "10.77.0.1:5353/udp",
  ])
    expect([name, await shown(scene, name)]).toEqual([name, everything]);
}

sceneTest(
  "O9: show of a network, by each name, as a tree and as a graph; it changes nothing",
  async (host) => {
    const scene = new Scene(host, "nftables");
    const one = await scene.add("c1", "c1", PORTS);
    await one.one.namespace.run("ip route add 192.0.2.0/24 via 10.77.0.1");
    await host.unchangedBy(() => judgeShow(host, scene, one), [...SETTLES, /^neighbour /]);

    const { stdout } = await scene.run(["show"], 100);
    for (const line of stdout.split("\n")) expect([...line].length).toBeLessThanOrEqual(100);
    const [a4] = addressesOf(one.one);
    for (const part of [
      `network testnet  ${FOLDER}/10-net.conflist\n└─ bridge br0  10.77.0.1/24  fd77::1/64  mac `,
      "\n   └─ port veth",
      "\n      └─ namespace /run/netns/c1  container c1  interface eth0\n",
      "\n         ├─ route 192.0.2.0/24  via 10.77.0.1\n",
      `\n         ├─ publishes 0.0.0.0:8080/tcp to ${a4}:80  leads, open to all\n`,
    ])
      expect(stdout).toContain(part);
    expect((await scene.run(["show", "--dot"])).stdout).toStartWith("digraph bridgehead {\n");
    writeFileSync(`${FOLDER}/broken.conf`, "{");
    expect(await scene.run(["show", "8080", "-q"])).toMatchObject({
      ...{ exitCode: 4, stdout: "c1\n" },
      stderr: expect.stringContaining(`bridgehead show: cannot read the network of "${FOLDER}/broken.conf"`),
    });
    rmSync(`${FOLDER}/broken.conf`);
    writeFileSync(`${FOLDER}/results/broken`, "{");
    expect(await scene.run(["ports", "-q"])).toMatchObject({
      ...{ exitCode: 4, stdout: "10.77.0.1:5353/udp\n8080/tcp\n" },
      stderr: expect.stringContaining(`cannot read the attachment of "${FOLDER}/results/broken"`),
    });
    // What is not found may stand in the file that cannot be read.
    for (const words of [
      ["ports", "none"],
      ["show", "none"],
    ])
      expect(await scene.run(words)).toMatchObject({ exitCode: 4, stdout: "" });
    rmSync(`${FOLDER}/results/broken`);
    expect(await scene.run(["show", "198.51.100.9"])).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining(
        'cannot find "198.51.100.9": no network, container, interface, address or published port',
      ),
    });

    // Two ids that begin so; a foreign port; a container that is gone.
    const two = await scene.add("c12", "c2", []);
    expect(await scene.run(["show", "c1"])).toMatchObject({ exitCode: 0 });
    expect(await scene.run(["show", "c"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("(c1, c12)"),
    });
    await host.run(
      `ip link add foreign type veth peer name foreign2 && ip link set foreign master ${BRIDGE}`,
    );
    await host.run("ip netns delete c2");
    await eventually(
      "a dead lease",
      async () => (await scene.run(["leases", "--state", "dead", "-q"])).stdout !== "",
    );
    const after = await shown(scene);
    expect(after[0].bridges[0].ports).toMatchObject([
      { ifname: one.one.veth, vlans: [] },
      { ifname: "foreign", attachment: null },
    ]);
    expect(after[0].others).toMatchObject([
      { namespace: null, attachment: { containerID: "c12", leases: [{ state: "dead" }, { state: "dead" }] } },
    ]);
    await host.run("ip link delete foreign");
    await scene.end(one, two);
  },
);

/** Its shared chains stay, and what leads there. */
const KEPT = [
  /^ip6?tables-nft nat :CNI-HOSTPORT-/,
  /^ip6?tables-nft nat -A (PREROUTING|OUTPUT|POSTROUTING|CNI-HOSTPORT-\w+) (?!.*(10\.77\.|fd77:))/,
  /^nft \{"rule":\{"family":"ip6?","table":"nat"(?!.*(10\.77\.|fd77:))/,
];

hostTests({ mayKeep: [...MAY_KEEP, ...KEPT] }, testUnless(whyNoReference("bridge")))(
  "O9: ports and show of a network of the Go plugins",
  async (host) => {
    // Debian's package is older than its backend for nftables.
    const scene = new Scene(host, "iptables", referencePlugin(""));
    const one = await scene.add("c1", "c1", PORTS);
    await judgeShow(host, scene, one);
    const states = (await scene.ports()).map((port) => port.split(" ").slice(4).join(" "));
    expect(states).toEqual(["iptables-nft leads", "iptables-nft leads open", "ip6tables-nft leads open"]);
    // Without libcni's cache the address leads to the container.
    scene.forget();
    await judgeShow(host, scene, one);
    await host.run("ip netns delete c1");
    // Its death is proven by nothing, so that gc leaves it, and no command calls it dead.
    const isAddressGone = (port: string) => port.endsWith(" unreachable");
    await eventually("the end of c1", async () => (await scene.ports()).every(isAddressGone));
    expect(JSON.parse((await scene.run(["gc", "--json"])).stdout).candidates).toEqual([]);
    expect((await scene.run(["ports"])).stdout).toContain("unreachable: no interface has its address\n");
    await scene.end(one);
  },
);
