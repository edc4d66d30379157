/** The rules of published ports, as iptables and nft list them. */
import { describe, expect } from "bun:test";
import { portChain } from "../../../src/netfilter/attachment-names.ts";
import { hostTests } from "../../support/host-test.ts";
import { callProgram } from "../../support/plugin-call.ts";
import { referencePlugin, whyNoReference } from "../../support/reference-plugin.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { type Backend, collect, listed, NETWORK, Pod, type PortMapping, rulesIn, saved } from "./pod.ts";
import { endNamespaces, ruleTest, V4, V6, withBridge } from "./scene.ts";

const DN = portChain({ network: NETWORK, containerId: "c1" });
const ALL: PortMapping[] = [
  { hostPort: 8080, containerPort: 80, protocol: "TCP" },
  { hostPort: 8053, containerPort: 53, protocol: "udp" },
  { hostPort: 8081, containerPort: 81, protocol: "sctp" },
  { hostPort: 8082, containerPort: 82, protocol: "tcp", hostIP: "10.1.2.1" },
  { hostPort: 8083, containerPort: 83, protocol: "tcp", hostIP: "::" },
];
const PORT = [{ hostPort: 8080, containerPort: 80 }];
const BACKENDS: Backend[] = ["iptables", "nftables"];

ruleTest("M5, M10, M11, M13, M14, M23: the rules of iptables-nft", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4, V6] });
  await pod.add(ALL, { backend: "iptables" });
  expect(DN).toBe("CNI-DN-c2d892b58e87e28a12fe6");
  const comment = `-m comment --comment "dnat name: \\"net1\\" id: \\"c1\\"" -m multiport`;
  const entries = [
    `-A CNI-HOSTPORT-DNAT -p sctp ${comment} --dports 8081 -j ${DN}`,
    `-A CNI-HOSTPORT-DNAT -p tcp ${comment} --dports 8080,8082,8083 -j ${DN}`,
    `-A CNI-HOSTPORT-DNAT -p udp ${comment} --dports 8053 -j ${DN}`,
  ];
  const shared = [
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
  ];
  const marking = [
    "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
  ];
  const forward = (matches: string, sources: string[], to: string) => [
    ...sources.map((source) => `-A ${DN} -s ${source} ${matches} -j CNI-HOSTPORT-SETMARK`),
    `-A ${DN} ${matches} -j DNAT --to-destination ${to}`,
  ];
  const both = ["10.1.2.0/24", "127.0.0.1/32"];
  expect(await saved()).toEqual([
    ...shared,
    ...forward("-p tcp -m tcp --dport 8080", both, "10.1.2.3:80"),
    ...forward("-p udp -m udp --dport 8053", both, "10.1.2.3:53"),
    ...forward("-p sctp -m sctp --dport 8081", both, "10.1.2.3:81"),
    `-A ${DN} -s 10.1.2.0/24 -d 10.1.2.1/32 -p tcp -m tcp --dport 8082 -j CNI-HOSTPORT-SETMARK`,
    `-A ${DN} -s 127.0.0.1/32 -d 10.1.2.1/32 -p tcp -m tcp --dport 8082 -j CNI-HOSTPORT-SETMARK`,
    `-A ${DN} -d 10.1.2.1/32 -p tcp -m tcp --dport 8082 -j DNAT --to-destination 10.1.2.3:82`,
    ...entries,
    ...marking,
    ...shared,
    ...forward("-p tcp -m tcp --dport 8080", ["fd00:2::/64"], "[fd00:2::3]:80"),
    ...forward("-p udp -m udp --dport 8053", ["fd00:2::/64"], "[fd00:2::3]:53"),
    ...forward("-p sctp -m sctp --dport 8081", ["fd00:2::/64"], "[fd00:2::3]:81"),
    ...forward("-p tcp -m tcp --dport 8083", ["fd00:2::/64"], "[fd00:2::3]:83"),
    ...entries,
    ...marking,
  ]);
  await pod.check(ALL, { backend: "iptables" });
  await pod.del();
  expect(await saved()).toEqual([]);
});

ruleTest("M15, M16, M51: the rules of nftables", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4, V6] });
  await pod.add(ALL, { backend: "nftables" });
  expect(rulesIn(await listed())).toEqual([
    'tcp dport 8080 dnat to 10.1.2.3:80 comment "c1"',
    'udp dport 8053 dnat to 10.1.2.3:53 comment "c1"',
    'sctp dport 8081 dnat to 10.1.2.3:81 comment "c1"',
    'ip daddr 10.1.2.1 tcp dport 8082 dnat to 10.1.2.3:82 comment "c1"',
    "jump hostip_hostports",
    "jump hostports",
    "fib daddr type local jump hostports_all",
    "fib daddr type local jump hostports_all",
    'ip saddr 10.1.2.0/24 ip daddr 10.1.2.3 ct status dnat masquerade comment "c1"',
    'ip saddr 127.0.0.1 ip daddr 10.1.2.3 masquerade comment "c1"',
  ]);
  expect(await listed()).toContain('comment "CNI portmap plugin"');
  expect(rulesIn(await listed("ip6")).at(3)).toBe('tcp dport 8083 dnat to [fd00:2::3]:83 comment "c1"');
  await pod.check(ALL, { backend: "nftables" });
  await pod.del();
  expect(await listed()).toBe("");
});

ruleTest("M12: snat, masqAll, markMasqBit and externalSetMarkChain", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4] });
  const iptables = { backend: "iptables" };
  await pod.add(PORT, { ...iptables, snat: false });
  expect((await saved()).filter((line) => /MARK|MASQ/.test(line))).toEqual([]);
  expect((await host.run("cat /proc/sys/net/ipv4/conf/br0/route_localnet")).trim()).toBe("0");
  await pod.add(PORT, { ...iptables, masqAll: true, markMasqBit: 7 });
  expect((await saved()).filter((line) => line.startsWith(`-A ${DN}`))).toEqual([
    `-A ${DN} -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK`,
    `-A ${DN} -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.2.3:80`,
  ]);
  expect(await saved()).toContain("-A CNI-HOSTPORT-MASQ -m mark --mark 0x80/0x80 -j MASQUERADE");
  await pod.del();
  // M59: the chain is looked for before anything is made.
  const external = { ...iptables, externalSetMarkChain: "KUBE-MARK-MASQ" };
  const before = await host.state();
  const { code, msg } = await pod.failure("ADD", PORT, external);
  expect(code).toBe(11);
  expect(msg).toContain(
    "chain KUBE-MARK-MASQ is not in table nat of iptables-nft: kube-proxy has not made it (yet)",
  );
  expect(await host.state()).toEqual(before);
  await host.run("iptables-nft -t nat -N KUBE-MARK-MASQ");
  await pod.add(PORT, external);
  expect((await saved()).filter((line) => line.includes("MARK"))).toEqual([
    `-A ${DN} -s 10.1.2.0/24 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ`,
    `-A ${DN} -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ`,
  ]);
  await pod.check(PORT, external);
  await pod.del();
  await host.run("nft delete table ip nat");
});

ruleTest("M11: an entry holds 15 ports", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4] });
  const many = Array.from({ length: 17 }, (_, index) => ({ hostPort: 9000 + index, containerPort: 80 }));
  await pod.add(many, { backend: "iptables" });
  const ports = (await saved()).flatMap((line) => /--dports (\S+)/.exec(line)?.[1] ?? []);
  expect(ports).toEqual(
    [many.slice(0, 15), many.slice(15)].map((list) => list.map(({ hostPort }) => hostPort).join(",")),
  );
  await pod.check(many, { backend: "iptables" });
  await pod.del();
});

ruleTest("M13, M23: names that are too long for a comment are known again", async (host) => {
  const names = { network: `n${"o".repeat(150)}`, containerId: `c${"i".repeat(150)}` };
  const pod = new Pod(host, undefined, { ...names, addresses: [V4, V6] });
  await pod.add(PORT, { backend: "iptables" });
  await pod.check(PORT, { backend: "iptables" });
  // A rule as the reference writes it, which does not tell of its attachment.
  const rules = await host.run("iptables-save -t nat");
  expect(rules).toContain('ii.." -m multiport');
  await host.run("nft flush ruleset");
  await host.run(["iptables-restore"], { stdin: rules });
  await pod.del();
  expect((await saved()).filter((line) => line.includes("8080"))).toEqual([]);
  await host.run("nft flush ruleset");
});

describe.each(BACKENDS)("%s", (backend) => {
  const rules = async () => (backend === "iptables" ? saved() : rulesIn(await listed()));

  ruleTest("M45: a second ADD replaces the first one's rules", async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4] });
    await pod.add(PORT, { backend });
    const once = await rules();
    await pod.add(PORT, { backend });
    expect(await rules()).toEqual(once);
    await pod.add([{ hostPort: 9090, containerPort: 90 }], { backend });
    expect((await rules()).filter((line) => line.includes("8080"))).toEqual([]);
    await pod.del();
  });

  ruleTest(
    "M42, M43, M44: DEL, without mappings, of one network or one interface leaves the others",
    async (host) => {
      const pods = [
        new Pod(host, undefined, { addresses: [V4] }),
        new Pod(host, undefined, { addresses: ["10.1.2.4/24"], ifname: "eth1" }),
        new Pod(host, undefined, { addresses: ["10.1.2.5/24"], network: "net2" }),
      ];
      for (const [index, pod] of pods.entries())
        await pod.add([{ hostPort: 8080 + index, containerPort: 80 }], { backend });
      for (const [index, pod] of pods.entries()) {
        await pod.check([{ hostPort: 8080 + index, containerPort: 80 }], { backend });
        await pod.del();
        const left = (await rules()).filter((line) => /dnat to|DNAT --to/.test(line));
        expect(left.map((line) => /10\.1\.2\.\d/.exec(line)?.[0]).sort()).toEqual(
          ["10.1.2.3", "10.1.2.4", "10.1.2.5"].slice(index + 1),
        );
      }
    },
  );

  ruleTest("M47: a dead container's ports go when another one takes one of them", async (host) => {
    const dead = await host.addNamespace("dead");
    const one = new Pod(host, undefined, {
      addresses: ["10.1.2.9/24"],
      containerId: "dead",
      netns: dead.path,
    });
    await one.add([...PORT, { hostPort: 7070, containerPort: 70 }], { backend });
    await endNamespaces(host, "dead");
    const two = new Pod(host, undefined, { addresses: [V4] });
    expect(await two.add(PORT, { backend })).toBe("");
    expect((await rules()).filter((line) => line.includes("10.1.2.9"))).toEqual([]);
    expect((await rules()).filter((line) => line.includes("7070"))).toEqual([]);
    await two.del();
    // What only the guard still knows of the dead one.
    await one.del();
  });

  ruleTest(
    "M47: the older attachment of a port is found, whatever the bytes of its number are",
    async (host) => {
      const one = new Pod(host, undefined, { addresses: [V4] });
      const two = new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" });
      // 0x1f82, 0x0a00, 0xffff: bytes that are no characters, or other ones.
      const ports = [8066, 2560, 65535].map((hostPort) => ({ hostPort, containerPort: 80 }));
      await one.add(ports, { backend });
      const words = await two.add(ports, { backend });
      for (const { hostPort } of ports)
        expect(words).toContain(`host port ${hostPort}/tcp led to container "c1"`);
      await one.del();
      await two.del();
    },
  );

  ruleTest("M40: GC removes what is not listed, in this network only", async (host) => {
    const names = ["c1", "c2", "c3"];
    const pods = names.map(
      (containerId, index) =>
        new Pod(host, undefined, {
          containerId,
          addresses: [`10.1.2.${index + 3}/24`, `fd00:2::${index + 3}/64`],
        }),
    );
    const other = new Pod(host, undefined, {
      containerId: "c4",
      network: "net2",
      addresses: ["10.1.2.9/24"],
    });
    for (const [index, pod] of [...pods, other].entries())
      await pod.add([{ hostPort: 8080 + index, containerPort: 80 }], { backend });
    await collect(host, ["c2"]);
    const left = (await rules()).flatMap(
      (line) => /(?:dnat to|--to-destination) (10\.1\.2\.\d)/.exec(line)?.[1] ?? [],
    );
    expect(left.sort()).toEqual(["10.1.2.4", "10.1.2.9"]);
    await pods[1]?.check([{ hostPort: 8081, containerPort: 80 }], { backend });
    await collect(host, ["c2"]);
    await pods[1]?.del();
    await other.del();
  });

  ruleTest("A39: with an empty list, ports of containers that may live stay", async (host) => {
    const living = await host.addNamespace("living");
    const pod = new Pod(host, undefined, { addresses: [V4], netns: living.path });
    await pod.add(PORT, { backend });
    await collect(host, []);
    await pod.check(PORT, { backend });
    await endNamespaces(host, "living");
    await collect(host, []);
    expect(await rules()).toEqual([]);
  });

  ruleTest("M56: sixteen first ADDs at once make each shared rule once", async (host) => {
    const pods = Array.from(
      { length: 16 },
      (_, index) =>
        new Pod(host, undefined, { containerId: `c${index}`, addresses: [`10.1.2.${index + 10}/24`] }),
    );
    await Promise.all(
      pods.map((pod, index) => pod.add([{ hostPort: 8080 + index, containerPort: 80 }], { backend })),
    );
    const shared = (await rules()).filter(
      (line) => !line.includes("10.1.2.") && !line.includes("-m multiport") && !line.includes("dport"),
    );
    expect(shared).toEqual(
      [...new Set(shared)].flatMap((line) => (line.startsWith("fib") ? [line, line] : line)),
    );
    for (const [index, pod] of pods.entries())
      await pod.check([{ hostPort: 8080 + index, containerPort: 80 }], { backend });
    await Promise.all(pods.map((pod) => pod.del()));
    expect(await rules()).toEqual([]);
  });
});

ruleTest("M17: what is there already is not written again, and what is altered is mended", async (host) => {
  const [one, two] = [
    new Pod(host, undefined, { addresses: [V4] }),
    new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" }),
  ] as const;
  const shared = async () =>
    (await host.run("nft -a list table ip cni_hostport")).split("\n").filter((line) => line.includes("jump"));
  await one.add(PORT, { backend: "nftables" });
  const before = await shared();
  await two.add([{ hostPort: 9090, containerPort: 90 }], { backend: "nftables" });
  expect(await shared()).toEqual(before);
  // As the reference has it when a network of its has conditions.
  await host.run("nft flush chain ip cni_hostport prerouting");
  await host.run(
    "nft add rule ip cni_hostport prerouting ip saddr 192.0.2.0/24 fib daddr type local jump hostports_all",
  );
  await one.add(PORT, { backend: "nftables" });
  expect(rulesIn(await listed()).filter((line) => line.startsWith("fib daddr"))).toHaveLength(2);
  await one.check(PORT, { backend: "nftables" });
  await one.del();
  await two.del();
});

/** Saves all rules with nft, changes the text, and loads it, which loses user data of ours. */
const reload = (host: ScratchHost, change = "cat"): Promise<string> =>
  host.run(
    `nft list ruleset | ${change} >/run/rules && nft flush ruleset && nft -f /run/rules && rm /run/rules`,
  );

ruleTest(
  "M53: route_localnet goes with the last port also after nft has saved and loaded the rules",
  async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4] });
    const after = async (change?: string) => {
      await pod.add(PORT, { backend: "nftables" });
      await reload(host, change);
      await pod.del();
      const setting = await host.run("cat /proc/sys/net/ipv4/conf/br0/route_localnet");
      const guard = rulesIn(await listed("ip", "cni_hostport_guard"));
      await host.run("nft flush ruleset");
      return [setting.trim(), guard.length];
    };
    expect(await after()).toEqual(["0", 0]);
    // What the setting was is not known: it stays with its guard, two rules and what leads there.
    expect(await after('sed \'s/comment "route_localnet[^"]*"//\'')).toEqual(["1", 3]);
    await host.run("sysctl -qw net.ipv4.conf.br0.route_localnet=0");
  },
);

ruleTest("M53, M55: a guard that was flushed is reported, and ADD mends it", async (host) => {
  const pod = new Pod(host, undefined, { addresses: [V4] });
  await pod.add(PORT, { backend: "nftables" });
  for (const chain of ["prerouting", "interface-br0"]) {
    await host.run(`nft flush chain ip cni_hostport_guard ${chain}`);
    expect((await pod.failure("CHECK", PORT)).msg).toContain("does not drop packets from br0");
    await pod.add(PORT, { backend: "nftables" });
    await pod.check(PORT);
  }
  await pod.del();
});

describe("M41: DEL and GC look in all backends", () => {
  ruleTest("whatever made the rules", async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4, V6] });
    await pod.add(PORT, { backend: "nftables" });
    await pod.del({ backend: "iptables" });
    expect([await saved(), await listed()]).toEqual([[], ""]);
    await pod.add(PORT, { backend: "nftables" });
    await collect(host, ["c9"], NETWORK, { backend: "iptables" });
    expect(await listed()).toBe("");
  });
});

for (const [first, second] of [
  ["nftables", "iptables"],
  ["iptables", "nftables"],
] as const)
  ruleTest(`M41, M45: an ADD with ${second} after one with ${first} and no DEL replaces it`, async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4, V6] });
    const other = new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" });
    const own = async () => ({
      iptables: (await saved()).filter((line) => line.includes("10.1.2.3")),
      nftables: rulesIn(`${await listed()}${await listed("ip6")}`).filter((line) => line.includes('"c1"')),
    });
    await other.add([{ hostPort: 7070, containerPort: 70 }], { backend: first });
    await pod.add(PORT, { backend: first });
    await pod.add([{ hostPort: 9090, containerPort: 90 }], { backend: second });
    const rules = await own();
    expect([rules[first], rules[second].length > 0]).toEqual([[], true]);
    await pod.check([{ hostPort: 9090, containerPort: 90 }], { backend: second });
    await other.check([{ hostPort: 7070, containerPort: 70 }], { backend: first });
    await pod.del();
    await other.del();
  });

const MUTATIONS: readonly (readonly [name: string, backend: Backend, command: string, says: string])[] = [
  [
    "the jump of PREROUTING",
    "iptables",
    "iptables-nft -t nat -F PREROUTING",
    "chain PREROUTING of the nat table of iptables-nft lacks the rule",
  ],
  ["the jump of OUTPUT", "iptables", "iptables-nft -t nat -F OUTPUT", "chain OUTPUT of the nat table"],
  [
    "the jump of POSTROUTING",
    "iptables",
    "iptables-nft -t nat -F POSTROUTING",
    "chain POSTROUTING of the nat table",
  ],
  [
    "the mark",
    "iptables",
    "iptables-nft -t nat -F CNI-HOSTPORT-SETMARK",
    "chain CNI-HOSTPORT-SETMARK of the nat table",
  ],
  [
    "the masquerading",
    "iptables",
    "iptables-nft -t nat -F CNI-HOSTPORT-MASQ",
    "chain CNI-HOSTPORT-MASQ of the nat table",
  ],
  [
    "the entry",
    "iptables",
    "iptables-nft -t nat -F CNI-HOSTPORT-DNAT",
    "chain CNI-HOSTPORT-DNAT of the nat table",
  ],
  ["the container's rules", "iptables", `iptables-nft -t nat -F ${DN}`, `chain ${DN} of the nat table`],
  [
    "another address",
    "iptables",
    `iptables-nft -t nat -R ${DN} 3 -p tcp --dport 8080 -j DNAT --to-destination 10.1.2.99:80`,
    "--to-destination 10.1.2.3:80",
  ],
  [
    "an earlier rule",
    "iptables",
    "iptables-nft -t nat -N CNI-DN-x; iptables-nft -t nat -A CNI-DN-x -p tcp --dport 8080 -j DNAT --to-destination 10.1.2.99:80; iptables-nft -t nat -I CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j CNI-DN-x",
    "host port 8080/tcp now leads to 10.1.2.99:80",
  ],
  [
    "an earlier rule that leads on without a chain",
    "iptables",
    "iptables-nft -t nat -I CNI-HOSTPORT-DNAT -p tcp --dport 8080 -j DNAT --to-destination 10.1.2.99:80",
    "host port 8080/tcp now leads to 10.1.2.99:80",
  ],
  [
    "the setting",
    "iptables",
    "echo 0 >/proc/sys/net/ipv4/conf/br0/route_localnet",
    "route_localnet of br0 is 0",
  ],
  ["the guard", "iptables", "nft delete table ip cni_hostport_guard", "does not drop packets from br0"],
  [
    "the setting",
    "nftables",
    "echo 0 >/proc/sys/net/ipv4/conf/br0/route_localnet",
    "route_localnet of br0 is 0",
  ],
  [
    "prerouting",
    "nftables",
    "nft flush chain ip cni_hostport prerouting",
    "chain prerouting of table ip cni_hostport lacks",
  ],
  [
    "output",
    "nftables",
    "nft flush chain ip cni_hostport output",
    "chain output of table ip cni_hostport lacks",
  ],
  [
    "hostports_all",
    "nftables",
    "nft flush chain ip cni_hostport hostports_all",
    "chain hostports_all of table ip cni_hostport lacks",
  ],
  [
    "hostports",
    "nftables",
    "nft flush chain ip cni_hostport hostports",
    "has no rule that leads port 8080/tcp to 10.1.2.3:80",
  ],
  [
    "masquerading",
    "nftables",
    "nft flush chain ip cni_hostport masquerading",
    "chain masquerading of table ip cni_hostport lacks",
  ],
  [
    "an earlier rule",
    "nftables",
    'nft insert rule ip cni_hostport hostports tcp dport 8080 dnat to 10.1.2.99:80 comment \\"x\\"',
    'host port 8080/tcp now leads to 10.1.2.99:80 of container "x"',
  ],
  [
    "another address",
    "nftables",
    "nft flush chain ip cni_hostport hostports; nft add rule ip cni_hostport hostports tcp dport 8080 dnat to 10.1.2.99:80",
    "has no rule that leads port 8080/tcp to 10.1.2.3:80",
  ],
];

describe("M55: CHECK names", () => {
  for (const [name, backend, command, says] of MUTATIONS)
    ruleTest(`${name} (${backend})`, async (host) => {
      const pod = new Pod(host, undefined, { addresses: [V4] });
      await pod.add(PORT, { backend });
      await pod.check(PORT, { backend });
      await host.run(command);
      expect((await pod.failure("CHECK", PORT, { backend })).msg).toContain(says);
      await host.run("nft flush ruleset");
    });
});

describe("M57: beside firewalld", () => {
  ruleTest("the default is nftables, and CHECK names the reload", async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4] });
    await pod.add(PORT);
    expect((await saved()).length).toBeGreaterThan(0);
    await pod.check(PORT);
    await host.run("nft add table inet firewalld");
    // Ports that were published with iptables still work.
    await pod.check(PORT);
    await pod.del();
    await pod.add(PORT);
    expect([await saved(), rulesIn(await listed())[0]]).toEqual([
      [],
      'tcp dport 8080 dnat to 10.1.2.3:80 comment "c1"',
    ]);
    await pod.del();
    await pod.add(PORT, { backend: "iptables" });
    await host.run("nft delete table ip nat");
    expect((await pod.failure("CHECK", PORT, { backend: "iptables" })).msg).toContain(
      "rules gone, firewalld was reloaded",
    );
    await pod.del();
    await host.run("nft delete table inet firewalld");
  });
});

describe("rules of the reference in tables of nftables", () => {
  /** As the reference makes them. */
  const made = (id: string, address: string) => `
    add rule ip cni_hostport hostports tcp dport 8080 dnat to ${address}:80 comment "${id}"
    add rule ip cni_hostport masquerading ip saddr ${address} ip daddr ${address} masquerade comment "${id}"
    add rule ip cni_hostport masquerading ip saddr 127.0.0.1 ip daddr ${address} masquerade comment "${id}"`;
  const TABLE = `
    add table ip cni_hostport { comment "CNI portmap plugin"; }
    add chain ip cni_hostport hostports
    add chain ip cni_hostport hostip_hostports
    add chain ip cni_hostport hostports_all
    add rule ip cni_hostport hostports_all jump hostip_hostports
    add rule ip cni_hostport hostports_all jump hostports
    add chain ip cni_hostport prerouting { type nat hook prerouting priority -100; }
    add rule ip cni_hostport prerouting fib daddr type local jump hostports_all
    add chain ip cni_hostport output { type nat hook output priority -100; }
    add rule ip cni_hostport output fib daddr type local jump hostports_all
    add chain ip cni_hostport masquerading { type nat hook postrouting priority 100; }`;

  ruleTest(
    "M22, M43: are checked, replaced and removed, unless another network has the address",
    async (host) => {
      const nft = (text: string) => host.run("nft -f -", { stdin: text });
      const backend = { backend: "nftables" };
      const pod = new Pod(host, undefined, { addresses: [V4] });
      const left = async () => rulesIn(await listed()).filter((line) => line.includes("comment"));
      await nft(TABLE + made("c1", "10.1.2.3") + made("c2", "10.1.2.4"));
      await host.run("echo 1 >/proc/sys/net/ipv4/conf/br0/route_localnet");
      await pod.check(PORT, backend);
      const other = rulesIn(
        made("c2", "10.1.2.4")
          .replaceAll("add rule ip cni_hostport hostports ", "")
          .replaceAll("add rule ip cni_hostport masquerading ", ""),
      );
      await pod.del();
      expect(await left()).toEqual(other);
      await nft(made("c1", "10.1.2.3"));
      await pod.add(PORT, backend);
      expect((await left()).filter((line) => line.includes("10.1.2.3"))).toHaveLength(3);
      await pod.del();
      expect(await left()).toEqual(other);
      // The container's address in another network, and what prevResult says.
      await nft(made("c1", "10.1.2.9"));
      await host.run(
        "mkdir -p /var/lib/cni/networks/net2 && printf 'c1\r\neth0' >/var/lib/cni/networks/net2/10.1.2.9",
      );
      await pod.del();
      expect(await left()).toHaveLength(6);
      await host.run("rm -r /var/lib/cni/networks");
      await pod.del({ prevResult: pod.prevResult() });
      expect(await left()).toHaveLength(6);
      await pod.del();
      expect(await left()).toEqual(other);
      // GC: by the lease.
      await nft(made("c1", "10.1.2.3"));
      await collect(host, ["c9"]);
      expect(await left()).toHaveLength(6);
      await host.run(
        "mkdir -p /var/lib/cni/networks/net1 && printf 'c1\r\neth0' >/var/lib/cni/networks/net1/10.1.2.3",
      );
      await collect(host, ["c9"]);
      expect(await left()).toEqual(other);
      await host.run("rm -r /var/lib/cni/networks; nft delete table ip cni_hostport");
    },
  );
});

describe("the reference and this plugin", () => {
  const referenceTest = hostTests(
    { mayKeep: [/^nft \{"(table|chain|rule)":/, /^sysctl net\.ipv4\.conf\.\w+\.route_localnet/] },
    testUnless(whyNoReference("portmap")),
  );
  const reference = async (pod: Pod, command: string, mappings: readonly PortMapping[]) =>
    expect(
      `${await callProgram([referencePlugin("portmap")], { ...pod.request(command, mappings), path: "/opt/cni/bin" })}`,
    ).toStartWith("exit code 0");
  const mappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];

  referenceTest(
    "M22: each one removes the other's rules of iptables, and no others",
    withBridge(async (host) => {
      const [one, two] = [
        new Pod(host, undefined, { addresses: [V4] }),
        new Pod(host, undefined, { addresses: ["10.1.2.4/24"], containerId: "c2" }),
      ] as const;
      const other = [{ hostPort: 9090, containerPort: 90, protocol: "tcp" }];
      const own = async () => (await saved()).filter((line) => /DN-/.test(line));
      await two.add(other);
      const rest = await own();
      await one.add(mappings);
      const ours = (await own()).sort();
      await reference(one, "DEL", mappings);
      expect(await own()).toEqual(rest);
      await reference(one, "ADD", mappings);
      expect((await own()).sort()).toEqual(ours);
      await one.check(mappings);
      await one.del();
      expect(await own()).toEqual(rest);
      await two.check(other);
      await two.del();
    }),
  );
});
