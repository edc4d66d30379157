/** portmap behind a plugin that has attached containers to a bridge. */
import { change, stepsCase } from "../../engine/case.ts";
import { BARE, deleteNamespace, type JsonRecord, VALID, VERSIONS } from "../../engine/network.ts";
import {
  attached,
  attachedTwice,
  caller,
  chained,
  chainedLife,
  FAMILIES_OF,
  FURTHER,
  type Options,
  previous,
} from "../chained.ts";
import { BACKENDS, type Backend, ONE, on, ports, SCTP, TCP, UDP } from "../portmap-tables.ts";

const MANY = ports(
  ...Array.from({ length: 17 }, (_, index) => ({ ...TCP, hostPort: 9000 + index })),
  ...[UDP, SCTP],
);

const life = (name: string, keys: JsonRecord, options: Parameters<typeof chainedLife>[3] = {}) =>
  chainedLife(`portmap: ${name}`, on, keys, options);

/** What is printed, and what is left at the end: the rules are the same in each version. */
const inVersion = (cniVersion: string, backend: Backend) =>
  stepsCase(
    `portmap: version ${cniVersion}`,
    [
      attached("c1"),
      ...["ADD", "CHECK", "DEL"].map((command) => on(command, { cniVersion, backend, ...ONE })),
    ],
    { stateAfter: "last" },
  );

/** The same with either backend. */
const lives = (name: string, keys: JsonRecord) =>
  BACKENDS.map((backend) => life(`${backend}, ${name}`, { backend, ...keys }));

const KUBE = change(
  "chain of kube-proxy",
  "for t in iptables ip6tables; do $t -t nat -N KUBE-MARK-MASQ; $t -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000; done",
);

const FOREIGN = change(
  "rules of others",
  `iptables -t nat -A PREROUTING -p tcp --dport 22 -j RETURN; iptables -t nat -A POSTROUTING -s 192.0.2.7 -j MASQUERADE
iptables -t nat -N CNI-HOSTPORT-DNAT
nft add table ip mine; nft 'add chain ip mine nat { type nat hook prerouting priority -100; }'; nft add rule ip mine nat tcp dport 22 accept`,
);

/** ADD of two containers, and DEL of one after the other. */
const neighbours = (backend: Backend, second: JsonRecord) => {
  const other = caller("portmap", { container: "c2" });
  const [one, two] = [
    { backend, ...ONE },
    { backend, ...ports(second) },
  ];
  return chained(
    `portmap: ${backend}, two containers, ${second.hostPort === 8080 ? "one port" : "two ports"}`,
    [
      attached("c1", "c2"),
      on("ADD", one),
      other("ADD", two, { label: "ADD c2" }),
      other("CHECK", two, { label: "CHECK c2" }),
      on("DEL", one),
      other("CHECK", two, { label: "CHECK c2 alone" }),
      other("DEL", two, { label: "DEL c2" }),
    ],
    ["c1", "c2"],
  );
};

/** ADD with the one configuration, DEL with the other. */
const changed = (name: string, before: JsonRecord, after: JsonRecord, options: Options = {}) =>
  chained(`portmap: ${name}`, [attached("c1"), on("ADD", before), on("DEL", after, options)]);

const twoInterfaces = (backend: Backend) => {
  const further = caller("portmap", FURTHER);
  const [one, two] = [
    { backend, ...ONE },
    { backend, ...ports({ ...TCP, hostPort: 8081 }) },
  ];
  return chained(`portmap: ${backend}, two interfaces of a container`, [
    attachedTwice,
    on("ADD", one),
    further("ADD", two, { label: "ADD net1" }),
    further("CHECK", two, { label: "CHECK net1" }),
    on("DEL", one),
    further("DEL", two, { label: "DEL net1" }),
  ]);
};

const twoNetworks = (backend: Backend) => {
  const [one, two] = [
    { backend, ...ONE },
    { backend, ...ports({ ...TCP, hostPort: 8081 }), name: "other" },
  ];
  const further = caller("portmap", FURTHER);
  return chained(`portmap: ${backend}, two networks of a container`, [
    attachedTwice,
    on("ADD", one),
    further("ADD", two, { label: "ADD other" }),
    on("DEL", one),
    further("CHECK", two, { label: "CHECK other" }),
    further("DEL", two, { label: "DEL other" }),
  ]);
};

/** A result whose addresses are of these interfaces. */
const ofInterfaces = (...ips: readonly (readonly [address: string, interface_?: number])[]): JsonRecord => ({
  backend: "iptables",
  ...ONE,
  prevResult: {
    ...previous("1.1.0"),
    ips: ips.map(([address, index]) => ({ address, ...(index !== undefined && { interface: index }) })),
  },
});

export const PORTMAP = [
  ...VERSIONS.map((cniVersion) => inVersion(cniVersion, "iptables")),
  stepsCase(
    "portmap: all versions, no mappings",
    [
      attached("c1"),
      ...VERSIONS.flatMap((cniVersion) =>
        ["ADD", "CHECK", "DEL"].map((command) =>
          on(command, { cniVersion }, { label: `${command} ${cniVersion}` }),
        ),
      ),
    ],
    { stateAfter: "last" },
  ),
  ...(["iptables", "nftables", undefined] as const).flatMap((backend) =>
    Object.entries(FAMILIES_OF).map(([family, families]) =>
      chainedLife(`portmap: ${backend ?? "no backend"}, ${family}`, caller("portmap", { families }), {
        ...(backend !== undefined && { backend }),
        ...ports(TCP, UDP, SCTP),
      }),
    ),
  ),
  ...lives("19 ports", MANY),
  ...lives("snat false", { snat: false, ...ONE }),
  ...lives("masqAll", { masqAll: true, ...ports(TCP, UDP) }),
  ...[0, 5, 31].map((markMasqBit) =>
    life(`iptables, markMasqBit ${markMasqBit}`, { backend: "iptables", markMasqBit, ...ONE }),
  ),
  ...lives("hostIP of each kind", {
    ...ports(
      ...["10.10.0.1", "127.0.0.1", "0.0.0.0", "fd00:10::1", "::"].map((hostIP, index) => ({
        ...TCP,
        hostPort: 8080 + index,
        hostIP,
      })),
    ),
  }),
  ...BACKENDS.map((backend) =>
    life(`${backend}, beside rules of others`, { backend, ...ONE }, { before: [FOREIGN] }),
  ),
  ...BACKENDS.map((backend) =>
    life(
      `${backend}, long names`,
      { backend, name: `n${"o".repeat(150)}`, ...ONE },
      // nft takes no longer comment.
      { id: `c${"i".repeat(backend === "nftables" ? 120 : 150)}` },
    ),
  ),
  life("externalSetMarkChain", { externalSetMarkChain: "KUBE-MARK-MASQ", ...ONE }, { before: [KUBE] }),
  life(
    "externalSetMarkChain and masqAll",
    { externalSetMarkChain: "KUBE-MARK-MASQ", masqAll: true, ...ONE },
    { before: [KUBE] },
  ),
  life("iptables, conditions", {
    backend: "iptables",
    conditionsV4: ["!", "-s", "192.0.2.0/24"],
    conditionsV6: ["-s", "2001:db8::/32"],
    ...ports(TCP, UDP),
  }),
  life("nftables, conditions", {
    backend: "nftables",
    conditionsV4: ["ip", "saddr", "!=", "192.0.2.0/24"],
    conditionsV6: ["ip6", "saddr", "2001:db8::/32"],
    ...ports(TCP, UDP),
  }),
  life("no backend, conditions of iptables", { conditionsV4: ["-i", "eth9"], ...ONE }),
  life("iptables, protocol in capitals", { backend: "iptables", ...ports({ ...TCP, protocol: "TCP" }) }),
  // Which addresses of the result are the container's.
  life("no interface index", ofInterfaces(["10.10.0.2/24"], ["fd00:10::2/64"])),
  life("an index out of range", ofInterfaces(["10.10.0.2/24", 7])),
  life("addresses of interfaces on the host", ofInterfaces(["10.10.0.1/24", 0], ["10.10.0.9/24", 1])),
  life("two addresses of a family", ofInterfaces(["10.10.0.2/24", 2], ["10.10.0.99/24", 2])),
  life("no address", ofInterfaces()),
  ...BACKENDS.flatMap((backend) => [
    neighbours(backend, { ...TCP, hostPort: 8081 }),
    neighbours(backend, TCP),
    twoInterfaces(backend),
    twoNetworks(backend),
    chained(`portmap: ${backend}, ADD twice`, [
      attached("c1"),
      on("ADD", { backend, ...ONE }),
      on("ADD", { backend, ...ports({ ...TCP, hostPort: 8081 }) }, { label: "ADD again" }),
      on("DEL", { backend, ...ONE }),
    ]),
    changed(`${backend}, DEL without mappings`, { backend, ...ONE }, { backend }),
    changed(
      `${backend}, DEL without prevResult and namespace`,
      { backend, ...ONE },
      { backend, ...ONE, prevResult: null },
      { env: { CNI_NETNS: "" } },
    ),
    changed(
      `${backend}, DEL with the other backend`,
      { backend, ...ONE },
      { backend: backend === "iptables" ? "nftables" : "iptables", ...ONE },
    ),
    chained(`portmap: ${backend}, DEL after the namespace went`, [
      attached("c1"),
      on("ADD", { backend, ...ONE }),
      change("gone", deleteNamespace("c1")),
      on("DEL", { backend, ...ONE }),
    ]),
    chained(`portmap: ${backend}, STATUS and GC`, [
      attached("c1"),
      on("STATUS", { backend, prevResult: null }, { env: BARE }),
      on("ADD", { backend, ...ONE }),
      on(
        "GC",
        { backend, prevResult: null, [VALID]: [{ containerID: "id-c1", ifname: "eth0" }] },
        { env: BARE, label: "GC, valid" },
      ),
      on(
        "GC",
        { backend, prevResult: null, [VALID]: [{ containerID: "id-c2", ifname: "eth0" }] },
        { env: BARE },
      ),
    ]),
  ]),
  // What the reference refuses (see declared/likes.ts), after what it is like.
  ...lives("one port", ONE),
  life("nftables, one condition", {
    backend: "nftables",
    conditionsV4: ["ip", "saddr", "192.0.2.0/24"],
    ...ONE,
  }),
  life("nftables, protocol in capitals", { backend: "nftables", ...ports({ ...TCP, protocol: "TCP" }) }),
  life("iptables, no protocol", { backend: "iptables", ...ports({ hostPort: 8080, containerPort: 80 }) }),
  life("no backend, conditions of nftables", { conditionsV4: ["ip", "saddr", "192.0.2.0/24"], ...ONE }),
];
