/** host-local alone: all forms of its configuration, requests, and what is on disk. */
import {
  type CallOptions,
  call,
  change,
  type Json,
  type JsonRecord,
  LATEST,
  parityCase,
  type Step,
  VERSIONS,
} from "../case.ts";

const NETWORKS = "/var/lib/cni/networks/parity";

const config = (ipam: Json, keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "parity",
  type: "bridge",
  ipam,
  ...keys,
});

const on = (command: string, ipam: JsonRecord, options: CallOptions = {}, keys: JsonRecord = {}) =>
  call(command, config({ type: "host-local", ...ipam }, keys), { plugin: "host-local", ...options });

/** A container's lease from its beginning to its end. */
const life = (
  name: string,
  ipam: JsonRecord,
  options: CallOptions & { before?: Step[] } = {},
  keys: JsonRecord = {},
) => {
  const { before = [], ...rest } = options;
  return parityCase(`host-local: ${name}`, [
    ...before,
    on("ADD", ipam, rest, keys),
    on("CHECK", ipam, { ...rest, resultOf: "ADD" }, keys),
    on("DEL", ipam, { ...rest, resultOf: "ADD" }, keys),
    on("DEL", ipam, { ...rest, label: "DEL again" }, keys),
  ]);
};

/** ADDs of several containers, one after the other. */
const adds = (name: string, ipam: JsonRecord, count: number, then: readonly Step[] = []) =>
  parityCase(`host-local: ${name}`, [
    ...Array.from({ length: count }, (_, index) =>
      on("ADD", ipam, { id: `id-${index}`, label: `ADD ${index}` }),
    ),
    ...then,
  ]);

/** ADD, CHECK and DEL of a configuration that is wrong. */
const wrong = (name: string, ipams: Readonly<Record<string, Json>>, keys: JsonRecord = {}) =>
  parityCase(
    `host-local, wrong: ${name}`,
    Object.entries(ipams).flatMap(([label, ipam]) =>
      ["ADD", "CHECK", "DEL"].map((command) =>
        call(command, config(ipam, keys), { plugin: "host-local", label: `${command} ${label}` }),
      ),
    ),
    { stateAfter: "last" },
  );

const range = (...set: readonly JsonRecord[]): JsonRecord => ({ type: "host-local", ranges: [set] });
const sets = (...all: readonly (readonly JsonRecord[])[]): JsonRecord => ({
  type: "host-local",
  ranges: all,
});

const SMALL = range({ subnet: "10.10.0.0/29" });
const NET = range({ subnet: "10.10.0.0/24" });
const NET6 = range({ subnet: "fd00:10::/64" });
const BOTH = sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "fd00:10::/64" }]);

const lease = (name: string, content: string) =>
  `mkdir -p ${NETWORKS}; printf '${content}' > ${NETWORKS}/${name}`;

const requested = (
  name: string,
  ipam: JsonRecord,
  runtimeConfig: JsonRecord,
  options: CallOptions = {},
  keys: JsonRecord = {},
) => life(name, ipam, options, { runtimeConfig, ...keys });

export const HOST_LOCAL = [
  ...VERSIONS.map((cniVersion) => life(`version ${cniVersion}`, NET, {}, { cniVersion })),
  ...VERSIONS.map((cniVersion) => life(`version ${cniVersion}, both families`, BOTH, {}, { cniVersion })),
  ...VERSIONS.map((cniVersion) =>
    life(
      `version ${cniVersion}, two of a family`,
      sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "10.20.0.0/24" }]),
      {},
      { cniVersion },
    ),
  ),
  ...VERSIONS.map((cniVersion) =>
    life(
      `version ${cniVersion}, routes`,
      {
        ...BOTH,
        routes: [
          { dst: "0.0.0.0/0" },
          { dst: "fd00:9::/64", gw: "fd00:10::9", priority: 3, mtu: 1400, advmss: 1300, table: 9, scope: 0 },
        ],
      },
      {},
      { cniVersion },
    ),
  ),
  life("subnet", { subnet: "10.10.0.0/24" }),
  life("subnet with bounds", {
    subnet: "10.10.0.0/24",
    rangeStart: "10.10.0.50",
    rangeEnd: "10.10.0.60",
    gateway: "10.10.0.254",
  }),
  life("subnet, IPv6", { subnet: "fd00:10::/64" }),
  life("subnet and ranges", { subnet: "10.10.0.0/24", ranges: [[{ subnet: "10.20.0.0/24" }]] }),
  life("several ranges of a set", range({ subnet: "10.10.0.0/30" }, { subnet: "10.20.0.0/30" })),
  life("bounds", range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.100", rangeEnd: "10.10.0.110" })),
  life(
    "bounds, IPv6",
    range({ subnet: "fd00:10::/64", rangeStart: "fd00:10::100", rangeEnd: "fd00:10::110" }),
  ),
  life("gateway", range({ subnet: "10.10.0.0/24", gateway: "10.10.0.2" })),
  life("gateway outside", range({ subnet: "10.10.0.0/24", gateway: "192.0.2.1" })),
  life("gateway of another family", range({ subnet: "10.10.0.0/24", gateway: "fd00::1" })),
  life("start at the network address", range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.0" })),
  life("start at the network address, IPv6", range({ subnet: "fd00:10::/64", rangeStart: "fd00:10::" })),
  life(
    "only the broadcast address",
    range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.255", rangeEnd: "10.10.0.255" }),
  ),
  life(
    "end at the broadcast address",
    range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.254", rangeEnd: "10.10.0.255" }),
  ),
  life("one address", range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.7", rangeEnd: "10.10.0.7" })),
  life("smallest subnet", range({ subnet: "10.10.0.0/30" })),
  life("smallest subnet, IPv6", range({ subnet: "fd00:10::/126" })),
  life("large subnet", range({ subnet: "10.0.0.0/8" })),
  life("large subnet, IPv6", range({ subnet: "fd00::/16" })),
  life("whole IPv6", range({ subnet: "::/0", rangeStart: "fd00::5" })),
  life("IPv4 mapped into IPv6", range({ subnet: "10.10.0.0/24", rangeStart: "::ffff:10.10.0.9" })),
  life("IPv6 in other letters", range({ subnet: "FD00:0010:0::/64", rangeStart: "fd00:10:0:0:0:0:0:A" })),
  life(
    "three sets",
    sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "fd00:10::/64" }], [{ subnet: "10.20.0.0/24" }]),
  ),
  life("dataDir", { ...NET, dataDir: "/run/parity/files/leases" }),
  life("dataDir empty", { ...NET, dataDir: "" }),
  life("unknown keys", { ...NET, resolveConf: "/nothing", ipRange: 1 }),
  life("other letters", { RANGES: [[{ SubNet: "10.10.0.0/24", GATEWAY: "10.10.0.9" }]] }),
  life(
    "ipRanges of the runtime",
    { type: "host-local" },
    {},
    { runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24", rangeStart: "10.30.0.9" }]] } },
  ),
  life(
    "ipRanges of the runtime, subnet and ranges",
    { subnet: "10.10.0.0/24", ranges: [[{ subnet: "10.20.0.0/24" }]] },
    {},
    {
      runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }]] },
    },
  ),
  life("container id with blanks around, as text", NET, { id: "a.b_c-d" }),
  life("no namespace on DEL", NET, { env: { CNI_NETNS: "/run/netns/never" } }),

  requested("runtimeConfig.ips", NET, { ips: ["10.10.0.77"] }),
  requested("runtimeConfig.ips with a prefix length", NET, { ips: ["10.10.0.77/24"] }),
  requested("runtimeConfig.ips with another prefix length", NET, { ips: ["10.10.0.77/8"] }),
  requested("runtimeConfig.ips of both families", BOTH, { ips: ["fd00:10::77", "10.10.0.77"] }),
  requested("runtimeConfig.ips twice the same", NET, { ips: ["10.10.0.77", "10.10.0.77"] }),
  requested("runtimeConfig.ips: one too many", NET, { ips: ["10.10.0.77", "10.10.0.78"] }),
  requested("runtimeConfig.ips: outside", NET, { ips: ["10.11.0.77"] }),
  requested(
    "runtimeConfig.ips: outside of the bounds",
    range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.100" }),
    { ips: ["10.10.0.77"] },
  ),
  requested("runtimeConfig.ips: gateway", NET, { ips: ["10.10.0.1"] }),
  requested("runtimeConfig.ips: network address", NET, { ips: ["10.10.0.0"] }),
  requested("runtimeConfig.ips: broadcast address", NET, { ips: ["10.10.0.255"] }),
  requested(
    "runtimeConfig.ips: second range of a set",
    range({ subnet: "10.10.0.0/24" }, { subnet: "10.20.0.0/24" }),
    { ips: ["10.20.0.9"] },
  ),
  requested("runtimeConfig.ips: second set", BOTH, { ips: ["fd00:10::9"] }),
  requested("runtimeConfig.ips: IPv6 in full", NET6, { ips: ["FD00:0010:0000::0077"] }),
  requested("runtimeConfig.ips: none", NET, { ips: [] }),
  requested("runtimeConfig.ips: null", NET, { ips: null }),
  life("args.cni.ips", NET, {}, { args: { cni: { ips: ["10.10.0.66"] } } }),
  life(
    "args.cni.ips and CNI_ARGS",
    NET,
    { env: { CNI_ARGS: "IP=10.10.0.65" } },
    { args: { cni: { ips: ["10.10.0.66"] } } },
  ),
  life(
    "args.cni.ips and runtimeConfig.ips",
    BOTH,
    {},
    { args: { cni: { ips: ["10.10.0.66"] } }, runtimeConfig: { ips: ["fd00:10::67"] } },
  ),
  life("CNI_ARGS IP", NET, { env: { CNI_ARGS: "IP=10.10.0.65" } }),
  life("CNI_ARGS IP with a prefix length", NET, { env: { CNI_ARGS: "IP=10.10.0.65/24" } }),
  life("CNI_ARGS IP, IPv6", NET6, { env: { CNI_ARGS: "IP=fd00:10::65" } }),
  life("CNI_ARGS IP and MAC", NET, { env: { CNI_ARGS: "IP=10.10.0.65;MAC=02:00:00:00:00:01" } }),
  life("CNI_ARGS unknown", NET, { env: { CNI_ARGS: "FOO=1" } }),
  life("CNI_ARGS unknown, ignored", NET, { env: { CNI_ARGS: "IgnoreUnknown=1;FOO=1" } }),
  life("CNI_ARGS IP empty", NET, { env: { CNI_ARGS: "IP=" } }),
  parityCase("host-local: requested address is taken", [
    on("ADD", NET, { id: "first", label: "ADD first" }, { runtimeConfig: { ips: ["10.10.0.77"] } }),
    on("ADD", NET, { id: "second", label: "ADD second" }, { runtimeConfig: { ips: ["10.10.0.77"] } }),
    on("ADD", NET, { id: "third", label: "ADD after it" }),
  ]),
  parityCase("host-local: second set's request fails", [
    on("ADD", BOTH, { id: "first", label: "ADD first" }, { runtimeConfig: { ips: ["fd00:10::77"] } }),
    on("ADD", BOTH, { id: "second", label: "ADD second" }, { runtimeConfig: { ips: ["fd00:10::77"] } }),
  ]),

  adds("round robin", SMALL, 3, [
    on("DEL", SMALL, { id: "id-1", label: "DEL 1" }),
    on("ADD", SMALL, { id: "id-3", label: "ADD 3" }),
    on("ADD", SMALL, { id: "id-4", label: "ADD 4" }),
    on("ADD", SMALL, { id: "id-5", label: "ADD 5" }),
    on("ADD", SMALL, { id: "id-6", label: "ADD 6: wraps" }),
    on("ADD", SMALL, { id: "id-7", label: "ADD 7: exhausted" }),
    on("STATUS", SMALL, { label: "STATUS", env: {} }),
    on("DEL", SMALL, { id: "id-0", label: "DEL 0" }),
    on("ADD", SMALL, { id: "id-8", label: "ADD 8" }),
  ]),
  adds(
    "round robin through two ranges",
    range(
      { subnet: "10.10.0.0/30" },
      { subnet: "10.20.0.0/29", rangeStart: "10.20.0.3", rangeEnd: "10.20.0.4" },
    ),
    4,
    [
      on(
        "DEL",
        range(
          { subnet: "10.10.0.0/30" },
          { subnet: "10.20.0.0/29", rangeStart: "10.20.0.3", rangeEnd: "10.20.0.4" },
        ),
        { id: "id-0", label: "DEL 0" },
      ),
      on(
        "ADD",
        range(
          { subnet: "10.10.0.0/30" },
          { subnet: "10.20.0.0/29", rangeStart: "10.20.0.3", rangeEnd: "10.20.0.4" },
        ),
        { id: "id-9", label: "ADD 9" },
      ),
    ],
  ),
  adds("second set exhausted", sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "fd00:10::/126" }]), 3),
  parityCase("host-local: ADD twice", [
    on("ADD", NET),
    on("ADD", NET, { label: "ADD again" }),
    on("DEL", NET),
  ]),
  parityCase("host-local: two interfaces of a container", [
    on("ADD", NET),
    on("ADD", NET, { ifname: "eth1", label: "ADD eth1" }),
    on("CHECK", NET, { ifname: "eth2", label: "CHECK eth2" }),
    on("DEL", NET, { ifname: "eth1", label: "DEL eth1" }),
    on("CHECK", NET, { ifname: "eth1", label: "CHECK eth1" }),
    on("CHECK", NET),
    on("DEL", NET),
  ]),
  parityCase("host-local: CHECK without lease", [on("CHECK", NET)]),
  parityCase("host-local: DEL without lease", [on("DEL", NET)]),
  life("hint of another subnet", NET, { before: [change("hint", lease("last_reserved_ip.0", "192.0.2.7"))] }),
  life("hint in the middle", NET, { before: [change("hint", lease("last_reserved_ip.0", "10.10.0.99"))] }),
  life("hint at the end", NET, { before: [change("hint", lease("last_reserved_ip.0", "10.10.0.254"))] }),
  life("hint that is none", NET, { before: [change("hint", lease("last_reserved_ip.0", "nonsense"))] }),
  life("hint with a newline", NET, {
    before: [change("hint", lease("last_reserved_ip.0", "10.10.0.99\\n"))],
  }),
  life("lease of another in the way", NET, {
    before: [change("lease", lease("10.10.0.2", "another\\r\\neth0"))],
  }),
  life("empty file in the way", NET, { before: [change("file", lease("10.10.0.2", ""))] }),
  life("foreign files", NET, {
    before: [change("files", `${lease("README", "hello")}; ${lease("10.10.0.2.bak", "x")}`)],
  }),
  life("lease in the old format", NET, { before: [change("lease", lease("10.10.0.5", "id-c1"))] }),
  parityCase("host-local: DEL of leases in all formats", [
    change(
      "leases",
      [
        lease("10.10.0.2", "id-c1\\r\\neth0"),
        lease("10.10.0.3", "id-c1\\r\\neth0\\n"),
        lease("10.10.0.4", "id-c1"),
        lease("10.10.0.5", "id-c1\\neth0"),
        lease("10.10.0.6", "id-c12\\r\\neth0"),
      ].join("; "),
    ),
    on("CHECK", NET),
    on("DEL", NET),
    on("DEL", NET, { label: "DEL again" }),
  ]),
  parityCase("host-local: DEL of the old format alone", [
    change("lease", lease("10.10.0.4", " id-c1\\n")),
    on("CHECK", NET),
    on("DEL", NET),
  ]),
  parityCase("host-local: GC", [
    on("ADD", NET, { id: "one", label: "ADD one" }),
    on("ADD", NET, { id: "two", label: "ADD two" }),
    on(
      "GC",
      NET,
      { env: { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined } },
      { "cni.dev/valid-attachments": [{ containerID: "one", ifname: "eth0" }] },
    ),
  ]),
  parityCase("host-local: dataDir cannot be made", [
    change("file", "echo > /run/parity/files/plain"),
    on("ADD", { ...NET, dataDir: "/run/parity/files/plain" }),
    on("CHECK", { ...NET, dataDir: "/run/parity/files/plain" }),
    on("DEL", { ...NET, dataDir: "/run/parity/files/plain" }),
    on("ADD", { ...NET, dataDir: "/proc/nothing" }, { label: "ADD in /proc" }),
  ]),

  wrong("ipam", {
    text: "x",
    number: 7,
    array: [],
    null: null,
    empty: {},
    "type only": { type: "host-local" },
  }),
  wrong("ranges", {
    text: { ranges: "x" },
    "flat list": { ranges: [{ subnet: "10.10.0.0/24" }] },
    "no set": { ranges: [] },
    "empty set": { ranges: [[]] },
    "empty range": { ranges: [[{}]] },
    "text in a set": { ranges: [["10.10.0.0/24"]] },
    "second set empty": { ranges: [[{ subnet: "10.10.0.0/24" }], []] },
  }),
  wrong("subnet", {
    number: range({ subnet: 7 }),
    "no prefix length": range({ subnet: "10.10.0.0" }),
    nonsense: range({ subnet: "nonsense" }),
    empty: range({ subnet: "" }),
    "host bits": range({ subnet: "10.10.0.5/24" }),
    "host bits, IPv6": range({ subnet: "fd00:10::5/64" }),
    "/31": range({ subnet: "10.10.0.0/31" }),
    "/32": range({ subnet: "10.10.0.0/32" }),
    "/127": range({ subnet: "fd00:10::/127" }),
    "/128": range({ subnet: "fd00:10::/128" }),
    "/33": range({ subnet: "10.10.0.0/33" }),
    "leading zeros": range({ subnet: "010.10.0.0/24" }),
    "legacy host bits": { subnet: "10.10.0.5/24" },
    "legacy nonsense": { subnet: "nonsense" },
  }),
  wrong("bounds", {
    "start outside": range({ subnet: "10.10.0.0/24", rangeStart: "10.11.0.5" }),
    "end outside": range({ subnet: "10.10.0.0/24", rangeEnd: "10.11.0.5" }),
    "end before start": range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.50", rangeEnd: "10.10.0.40" }),
    "start nonsense": range({ subnet: "10.10.0.0/24", rangeStart: "nonsense" }),
    "end nonsense": range({ subnet: "10.10.0.0/24", rangeEnd: "nonsense" }),
    "gateway nonsense": range({ subnet: "10.10.0.0/24", gateway: "nonsense" }),
    "gateway a number": range({ subnet: "10.10.0.0/24", gateway: 7 }),
    "start of another family": range({ subnet: "10.10.0.0/24", rangeStart: "fd00::5" }),
  }),
  wrong("start beyond the default end", {
    start: range({ subnet: "10.10.0.0/24", rangeStart: "10.10.0.255" }),
  }),
  wrong("sets", {
    "mixed families": range({ subnet: "10.10.0.0/24" }, { subnet: "fd00:10::/64" }),
    "overlap in a set": range({ subnet: "10.10.0.0/24" }, { subnet: "10.10.0.0/25" }),
    "overlap of sets": sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "10.10.0.128/25" }]),
    "overlap of the third": sets(
      [{ subnet: "10.10.0.0/24" }],
      [{ subnet: "10.20.0.0/24" }],
      [{ subnet: "10.20.0.0/24" }],
    ),
    "overlap with the legacy subnet": { subnet: "10.10.0.0/24", ranges: [[{ subnet: "10.10.0.0/16" }]] },
    "bounds do not overlap": sets(
      [{ subnet: "10.10.0.0/24", rangeEnd: "10.10.0.100" }],
      [{ subnet: "10.10.0.0/24", rangeStart: "10.10.0.101" }],
    ),
  }),
  wrong("routes", {
    text: { ...NET, routes: "x" },
    "dst nonsense": { ...NET, routes: [{ dst: "nonsense" }] },
    "dst without length": { ...NET, routes: [{ dst: "10.0.0.0" }] },
    "gw nonsense": { ...NET, routes: [{ dst: "10.0.0.0/8", gw: "nonsense" }] },
    "priority is text": { ...NET, routes: [{ dst: "10.0.0.0/8", priority: "1" }] },
  }),
  wrong("a route without dst", { "no dst": { ...NET, routes: [{ gw: "10.10.0.1" }] } }),
  wrong("a route with an mtu below 0", {
    "mtu below 0": { ...NET, routes: [{ dst: "10.0.0.0/8", mtu: -1 }] },
  }),
  wrong("other keys", {
    "dataDir a number": { ...NET, dataDir: 7 },
    "resolvConf a number": { ...NET, resolvConf: 7 },
  }),
  wrong("type", { "type a number": { ...NET, type: 7 } }),
  wrong("runtimeConfig", { ranges: NET }, { runtimeConfig: { ips: ["nonsense"] } }),
  wrong("runtimeConfig.ips is text", { ranges: NET }, { runtimeConfig: { ips: "10.10.0.5" } }),
  wrong("runtimeConfig.ips of numbers", { ranges: NET }, { runtimeConfig: { ips: [7] } }),
  wrong("args.cni.ips is text", { ranges: NET }, { args: { cni: { ips: "10.10.0.5" } } }),
  wrong("runtimeConfig.ipRanges is text", { ranges: NET }, { runtimeConfig: { ipRanges: "x" } }),
];
