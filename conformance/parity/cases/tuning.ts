/** tuning behind a plugin that has made a pair inside of the container. */
import { withAllowlist } from "../../../test/support/private-etc.ts";
import { type CallStep, call, change, type Step, stepsCase } from "../../engine/case.ts";
import {
  BARE,
  deleteNamespace,
  inside,
  type Json,
  type JsonRecord,
  LATEST,
  netnsPath,
  VALID,
  VERSIONS,
} from "../../engine/network.ts";

const MAC = "02:00:5e:10:00:0a";
const OTHER_MAC = "02:00:5e:10:00:0b";
const ARP = "net.ipv4.conf.IFNAME.arp_filter";

/** As the earlier plugin leaves it. */
const interfaceOf = (name: string) =>
  inside(
    "c1",
    `ip link add ${name} address 02:00:5e:00:00:02 type veth peer name peer0
    ip link set peer0 up; ip link set ${name} up`,
  );

/** Its result, in each version. */
function previous(cniVersion: string, ifname = "eth0"): JsonRecord {
  if (/^0\.[12]/.test(cniVersion)) return { cniVersion, ip4: { ip: "192.0.2.7/24" } };
  const version = cniVersion.startsWith("0") ? { version: "4" } : {};
  return {
    cniVersion,
    interfaces: [
      { name: "cni0", mac: "02:00:5e:00:00:01" },
      { name: ifname, mac: "02:00:5e:00:00:02", sandbox: netnsPath("c1") },
    ],
    ips: [{ ...version, interface: 1, address: "192.0.2.7/24", gateway: "192.0.2.1" }],
    routes: [{ dst: "0.0.0.0/0" }],
  };
}

type Options = CallStep["options"];

const on = (command: string, keys: JsonRecord, options: Options = {}) => {
  const { cniVersion = LATEST } = keys;
  const prevResult = previous(String(cniVersion), options.ifname);
  const config = { cniVersion, name: "net", type: "tuning", prevResult, ...keys };
  return call(command, config, { plugin: "tuning", label: command, ...options });
};

const made = (ifname = "eth0", script = ":"): Step[] => [
  change("interface", interfaceOf(ifname)),
  change("before", script),
];

const life = (name: string, keys: JsonRecord, options: Options = {}, script?: string) =>
  stepsCase(`tuning: ${name}`, [
    ...made(options.ifname, script),
    on("ADD", keys, options),
    on("CHECK", keys, { ...options, after: "ADD" }),
    on("DEL", keys, { ...options, after: "ADD" }),
    on("DEL", keys, { ...options, label: "DEL again" }),
  ]);

/** ADD, a change of the container, CHECK. */
const loss = (name: string, keys: JsonRecord, script: string) =>
  stepsCase(`tuning, CHECK: ${name}`, [
    ...made(),
    on("ADD", keys),
    change(name, inside("c1", script)),
    on("CHECK", keys, { after: "ADD" }),
  ]);

/** ADD, CHECK and DEL of configurations that are wrong. */
const wrong = (name: string, table: Readonly<Record<string, JsonRecord>>) =>
  stepsCase(
    `tuning, wrong: ${name}`,
    [
      ...made(),
      ...Object.entries(table).flatMap(([label, keys]) =>
        ["ADD", "CHECK", "DEL"].map((command) => on(command, keys, { label: `${command} ${label}` })),
      ),
    ],
    { stateAfter: "last" },
  );

/** ADDs of one configuration, each with an allowlist of its own. */
const allowlist = (name: string, sysctl: Json, lists: Readonly<Record<string, readonly string[]>>) =>
  stepsCase(
    `tuning, allowlist: ${name}`,
    [
      ...made(),
      ...Object.entries(lists).map(([label, lines]) =>
        on("ADD", { sysctl }, { label, through: withAllowlist(lines) }),
      ),
    ],
    { stateAfter: "last" },
  );

const args = (CNI_ARGS: string): Options => ({ env: { CNI_ARGS } });
const ALL: JsonRecord = { mac: MAC, promisc: true, mtu: 1400, allmulti: true, txQLen: 500 };

export const TUNING = [
  ...VERSIONS.map((cniVersion) =>
    life(`version ${cniVersion}`, { cniVersion, mac: MAC, mtu: 1400, sysctl: { [ARP]: "1" } }),
  ),
  ...VERSIONS.map((cniVersion) => life(`version ${cniVersion}, nothing`, { cniVersion })),
  life("everything", ALL),
  ...Object.entries(ALL).map(([key, value]) => life(key, { [key]: value })),
  life("promisc false", { promisc: false }, {}, inside("c1", "ip link set eth0 promisc on")),
  life("allmulti false", { allmulti: false }, {}, inside("c1", "ip link set eth0 allmulticast on")),
  life("txQLen 0", { txQLen: 0 }),
  life("mtu 0 and no mac", { mtu: 0, mac: "" }),
  life(
    "what is set already",
    { promisc: true, allmulti: true, mtu: 1500 },
    {},
    inside("c1", "ip link set eth0 promisc on allmulticast on"),
  ),
  life("another interface", { mtu: 1400, sysctl: { [ARP]: "1" } }, { ifname: "net1" }),
  life("an interface with a dot", { mtu: 1400, sysctl: { [ARP]: "1" } }, { ifname: "eth0.5" }),
  life("MAC in capitals", { mac: MAC.toUpperCase() }),
  life("MAC with dashes", { mac: MAC.replaceAll(":", "-") }),
  life("args.cni", { mtu: 1300, promisc: true, args: { cni: { ...ALL, promisc: false, txQLen: 0 } } }),
  life("args.cni.mac before runtimeConfig.mac", {
    args: { cni: { mac: MAC } },
    runtimeConfig: { mac: OTHER_MAC },
  }),
  life("runtimeConfig.mac before CNI_ARGS", { runtimeConfig: { mac: MAC } }, args(`MAC=${OTHER_MAC}`)),
  life("CNI_ARGS before mac", { mac: OTHER_MAC }, args(`IgnoreUnknown=1;MAC=${MAC};K8S_POD_NAME=a`)),
  life("CNI_ARGS MAC", {}, args(`MAC=${MAC}`)),
  life("CNI_ARGS MAC and IP", {}, args(`MAC=${MAC};IP=192.0.2.7`)),
  life("sysctl with slashes", {
    sysctl: { "net/ipv4/conf/IFNAME/arp_filter": "1", "net.ipv4.conf.all.rp_filter": "2" },
  }),
  life("sysctl of two values", { sysctl: { "net.ipv4.ip_local_port_range": "2000\t3000" } }),
  life("sysctl of two values with a blank", { sysctl: { "net.ipv4.ip_local_port_range": "2000 3000" } }),
  life("args.cni.sysctl", {
    sysctl: { [ARP]: "1" },
    args: { cni: { sysctl: { [ARP]: "0", "net.ipv4.conf.all.rp_filter": "2" } } },
  }),
  stepsCase("tuning: no interface", [
    on("ADD", { sysctl: { "net.ipv4.conf.all.rp_filter": "2" } }, { label: "sysctl alone" }),
    on("ADD", { mtu: 1400 }, { label: "mtu" }),
    on("ADD", {}, { label: "nothing" }),
    on("CHECK", { sysctl: { "net.ipv4.conf.all.rp_filter": "2" } }),
    on("CHECK", {}, { label: "CHECK, nothing" }),
    on("DEL", { mtu: 1400 }),
  ]),
  stepsCase("tuning: own directory", [
    ...made(),
    on("ADD", { mtu: 1400, dataDir: "/run/conformance/files/deep/er" }),
    on("DEL", { mtu: 1400 }, { label: "DEL, default directory" }),
    on("DEL", { mtu: 1400, dataDir: "/run/conformance/files/deep/er" }),
  ]),
  stepsCase("tuning: ADD twice", [
    ...made(),
    on("ADD", { mtu: 1400 }),
    on("ADD", { mtu: 1300 }, { label: "ADD again" }),
    on("DEL", {}),
  ]),
  stepsCase("tuning: DEL without namespace", [
    ...made(),
    on("ADD", { mtu: 1400 }),
    on("DEL", {}, { env: { CNI_NETNS: "" } }),
  ]),
  stepsCase("tuning: DEL of a namespace that is gone", [
    ...made(),
    on("ADD", { mtu: 1400 }),
    change("gone", deleteNamespace("c1")),
    on("DEL", {}),
  ]),
  stepsCase("tuning: DEL in another namespace of the same path", [
    ...made(),
    on("ADD", { mtu: 1400 }),
    change(
      "replace",
      `${deleteNamespace("c1")}; ip netns add c1; ${interfaceOf("eth0")}; ${inside("c1", "ip link set eth0 mtu 1300")}`,
    ),
    on("DEL", {}),
  ]),
  stepsCase("tuning: a broken file", [
    ...made(),
    change(
      "write",
      "mkdir -p /run/cni/tuning; chmod 700 /run/cni/tuning; chmod 755 /run/cni; echo { > /run/cni/tuning/id-c1_eth0.json",
    ),
    on("DEL", {}),
  ]),
  stepsCase("tuning: a file of the other side", [
    ...made(
      "eth0",
      inside("c1", `ip link set eth0 address ${OTHER_MAC} mtu 1300 promisc on allmulticast on txqueuelen 7`),
    ),
    change(
      "write",
      `mkdir -p /run/cni/tuning; chmod 700 /run/cni/tuning; chmod 755 /run/cni
printf '{\\n "mac": "${MAC}",\\n "promisc": false,\\n "mtu": 1500,\\n "allmulti": false,\\n "txQLen": 1000\\n}' > /run/cni/tuning/id-c1_eth0.json`,
    ),
    on("DEL", {}),
  ]),
  stepsCase("tuning: failed halfway", [
    ...made(),
    on("ADD", { mac: MAC, mtu: 70000 }, { label: "ADD, mtu" }),
    on("ADD", { mtu: 1400, sysctl: { "net.core.nonsense": "1" } }, { label: "ADD, sysctl" }),
  ]),
  stepsCase("tuning: prevResult", [
    ...made(),
    ...["ADD", "CHECK"].flatMap((command) => [
      on(command, { mtu: 1400, prevResult: null }, { label: `${command}, missing` }),
      on(
        command,
        { mtu: 1400, prevResult: { cniVersion: LATEST, ips: [{ address: "x" }] } },
        { label: `${command}, wrong` },
      ),
    ]),
    on("DEL", { prevResult: null }),
  ]),
  stepsCase("tuning: unknown CNI_ARGS", [
    ...made(),
    ...["ADD", "CHECK", "DEL"].map((command) => on(command, {}, args("COLOUR=red;IgnoreUnknown=0"))),
    ...["ADD", "CHECK", "DEL"].map((command) =>
      on(command, {}, { ...args("COLOUR=red"), label: `${command} again` }),
    ),
  ]),
  loss("sysctl", { sysctl: { [ARP]: "1" } }, "echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_filter"),
  loss("mac", { mac: MAC }, `ip link set eth0 address ${OTHER_MAC}`),
  loss("promisc", { promisc: true }, "ip link set eth0 promisc off"),
  loss("promisc of another program", { mtu: 1400 }, "ip link set eth0 promisc on"),
  loss("mtu", { mtu: 1400 }, "ip link set eth0 mtu 1300"),
  loss("allmulti", { allmulti: true }, "ip link set eth0 allmulticast off"),
  loss("txQLen", { txQLen: 500 }, "ip link set eth0 txqueuelen 7"),
  loss("interface", { mtu: 1400 }, "ip link del eth0"),
  wrong("types", {
    "sysctl is text": { sysctl: "x" },
    "sysctl of a number": { sysctl: { [ARP]: 1 } },
    "mac is a number": { mac: 5 },
    "promisc is text": { promisc: "true" },
    "mtu is text": { mtu: "1400" },
    "allmulti is a number": { allmulti: 1 },
    "txQLen is text": { txQLen: "1" },
    "args.cni.mtu is text": { args: { cni: { mtu: "1" } } },
    "args.cni.sysctl is text": { args: { cni: { sysctl: "x" } } },
  }),
  wrong("sysctls", {
    "outside of net": { sysctl: { "kernel.shmmax": "1" } },
    net: { sysctl: { net: "1" } },
  }),
  stepsCase("tuning, wrong: values", [
    ...made(),
    on("ADD", { mac: "nonsense" }, { label: "mac" }),
    on("ADD", { mac: "01:00:5e:00:00:01" }, { label: "group address" }),
    on("ADD", { mtu: -1 }, { label: "mtu below 0" }),
    on("ADD", { sysctl: { [ARP]: "nonsense" } }, { label: "sysctl" }),
  ]),
  stepsCase("tuning, wrong: a sysctl twice", [
    ...made(),
    ...["ADD", "CHECK"].map((command) =>
      call(
        command,
        JSON.stringify({
          cniVersion: LATEST,
          name: "net",
          type: "tuning",
          prevResult: previous(LATEST),
        }).replace(/\}$/, `,"sysctl":{"${ARP}":"1","${ARP}":"0"}}`),
        { plugin: "tuning" },
      ),
    ),
  ]),
  allowlist(
    "one sysctl",
    { [ARP]: "1" },
    {
      "matches whole": [String.raw`^net\.ipv4\.conf\.IFNAME\.arp_filter$`],
      "matches a part": ["arp"],
      "second line": ["nothing", "", "  arp_filter  "],
      "flags and classes": ["(?i)NET[[:punct:]]ipv4"],
      "a wrong line behind": ["arp", "("],
      "does not match": ["^ipv4"],
      "the interface": [String.raw`conf\.eth0\.`],
      empty: [],
      "a wrong line before": ["(", "arp"],
      lookahead: ["(?=net)"],
      "a comment": ["# arp_filter"],
    },
  ),
  allowlist(
    "with slashes",
    { "net/ipv4/conf/IFNAME/arp_filter": "1" },
    {
      "with dots": [String.raw`^net\.ipv4\.`],
      "with slashes": ["^net/ipv4/"],
      "any character": ["^net.ipv4."],
    },
  ),
  stepsCase("tuning: STATUS and GC", [
    ...made(),
    on("STATUS", ALL, { env: BARE }),
    on(
      "STATUS",
      { sysctl: { [ARP]: "1" } },
      { env: BARE, label: "STATUS, not allowed", through: withAllowlist(["x"]) },
    ),
    on("STATUS", { mtu: "x" }, { env: BARE, label: "STATUS, wrong" }),
    on("ADD", { mtu: 1400 }),
    on("GC", { [VALID]: [{ containerID: "id-c1", ifname: "eth0" }] }, { env: BARE, label: "GC, valid" }),
    on("GC", { [VALID]: [{ containerID: "id-c2", ifname: "eth0" }] }, { env: BARE }),
  ]),
];
