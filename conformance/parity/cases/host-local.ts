/** host-local alone: all forms of its configuration, requests, and what is on disk. */
import { type CallStep, call, change, type Step, stepsCase } from "../../engine/case.ts";
import { BARE, FILES, type Json, type JsonRecord, LATEST, LEASES, VERSIONS } from "../../engine/network.ts";

const config = (ipam: Json, keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "net",
  type: "bridge",
  ipam,
  ...keys,
});

const on = (command: string, ipam: JsonRecord, options: CallStep["options"] = {}, keys: JsonRecord = {}) =>
  call(command, config({ type: "host-local", ...ipam }, keys), { plugin: "host-local", ...options });

/** A container's lease from its beginning to its end. */
const life = (
  name: string,
  ipam: JsonRecord,
  options: CallStep["options"] & { before?: Step[] } = {},
  keys: JsonRecord = {},
) => {
  const { before = [], ...rest } = options;
  return stepsCase(`host-local: ${name}`, [
    ...before,
    on("ADD", ipam, rest, keys),
    on("CHECK", ipam, { ...rest, after: "ADD" }, keys),
    on("DEL", ipam, { ...rest, after: "ADD" }, keys),
    on("DEL", ipam, { ...rest, label: "DEL again" }, keys),
  ]);
};

/** ADDs of several containers, one after the other. */
const adds = (name: string, ipam: JsonRecord, count: number, then: readonly Step[] = []) =>
  stepsCase(`host-local: ${name}`, [
    ...Array.from({ length: count }, (_, index) =>
      on("ADD", ipam, { id: `id-${index}`, label: `ADD ${index}` }),
    ),
    ...then,
  ]);

/** ADD, CHECK and DEL of a configuration that is wrong. */
const wrong = (name: string, ipams: Readonly<Record<string, Json>>, keys: JsonRecord = {}) =>
  stepsCase(
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
  `mkdir -p ${LEASES}; printf '${content}' > ${LEASES}/${name}`;

/** One life each. */
const lives = (table: Readonly<Record<string, JsonRecord>>) =>
  Object.entries(table).map(([name, ipam]) => life(name, ipam));

/** The same in every version. */
const everyVersion = (name: string, ipam: JsonRecord) =>
  VERSIONS.map((cniVersion) => life(`version ${cniVersion}${name}`, ipam, {}, { cniVersion }));

/** A range of 10.10.0.0/24 with more keys. */
const within = (keys: JsonRecord) => range({ subnet: "10.10.0.0/24", ...keys });

/** Addresses that the runtime asks for. */
const requested = (name: string, ipam: JsonRecord, ips: Json) =>
  life(`runtimeConfig.ips${name}`, ipam, {}, { runtimeConfig: { ips } });

const withArgs = (name: string, CNI_ARGS: string, ipam = NET, keys: JsonRecord = {}) =>
  life(name, ipam, { env: { CNI_ARGS } }, keys);

/** A file is there before. */
const prepared = (name: string, label: string, script: string) =>
  life(name, NET, { before: [change(label, script)] });

const TWO_RANGES = range(
  { subnet: "10.10.0.0/30" },
  { subnet: "10.20.0.0/29", rangeStart: "10.20.0.3", rangeEnd: "10.20.0.4" },
);

export const HOST_LOCAL = [
  ...everyVersion("", NET),
  ...everyVersion(", both families", BOTH),
  ...everyVersion(", two of a family", sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "10.20.0.0/24" }])),
  ...everyVersion(", routes", {
    ...BOTH,
    routes: [
      { dst: "0.0.0.0/0" },
      { dst: "fd00:9::/64", gw: "fd00:10::9", priority: 3, mtu: 1400, advmss: 1300, table: 9, scope: 0 },
    ],
  }),
  ...lives({
    subnet: { subnet: "10.10.0.0/24" },
    "subnet with bounds": {
      subnet: "10.10.0.0/24",
      rangeStart: "10.10.0.50",
      rangeEnd: "10.10.0.60",
      gateway: "10.10.0.254",
    },
    "subnet, IPv6": { subnet: "fd00:10::/64" },
    "subnet and ranges": { subnet: "10.10.0.0/24", ranges: [[{ subnet: "10.20.0.0/24" }]] },
    "several ranges of a set": range({ subnet: "10.10.0.0/30" }, { subnet: "10.20.0.0/30" }),
    bounds: within({ rangeStart: "10.10.0.100", rangeEnd: "10.10.0.110" }),
    "bounds, IPv6": range({ subnet: "fd00:10::/64", rangeStart: "fd00:10::100", rangeEnd: "fd00:10::110" }),
    gateway: within({ gateway: "10.10.0.2" }),
    "gateway outside": within({ gateway: "192.0.2.1" }),
    "gateway of another family": within({ gateway: "fd00::1" }),
    "start at the network address": within({ rangeStart: "10.10.0.0" }),
    "start at the network address, IPv6": range({ subnet: "fd00:10::/64", rangeStart: "fd00:10::" }),
    "only the broadcast address": within({ rangeStart: "10.10.0.255", rangeEnd: "10.10.0.255" }),
    "end at the broadcast address": within({ rangeStart: "10.10.0.254", rangeEnd: "10.10.0.255" }),
    "one address": within({ rangeStart: "10.10.0.7", rangeEnd: "10.10.0.7" }),
    "smallest subnet": range({ subnet: "10.10.0.0/30" }),
    "smallest subnet, IPv6": range({ subnet: "fd00:10::/126" }),
    "large subnet": range({ subnet: "10.0.0.0/8" }),
    "large subnet, IPv6": range({ subnet: "fd00::/16" }),
    "whole IPv6": range({ subnet: "::/0", rangeStart: "fd00::5" }),
    "IPv4 mapped into IPv6": within({ rangeStart: "::ffff:10.10.0.9" }),
    "IPv6 in other letters": range({ subnet: "FD00:0010:0::/64", rangeStart: "fd00:10:0:0:0:0:0:A" }),
    "three sets": sets(
      [{ subnet: "10.10.0.0/24" }],
      [{ subnet: "fd00:10::/64" }],
      [{ subnet: "10.20.0.0/24" }],
    ),
    dataDir: { ...NET, dataDir: `${FILES}/leases` },
    "dataDir empty": { ...NET, dataDir: "" },
    "unknown keys": { ...NET, resolveConf: "/nothing", ipRange: 1 },
    "other letters": { RANGES: [[{ SubNet: "10.10.0.0/24", GATEWAY: "10.10.0.9" }]] },
  }),
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
    { runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }]] } },
  ),
  life("container id with blanks around, as text", NET, { id: "a.b_c-d" }),
  life("no namespace on DEL", NET, { env: { CNI_NETNS: "/run/netns/never" } }),

  requested("", NET, ["10.10.0.77"]),
  requested(" with a prefix length", NET, ["10.10.0.77/24"]),
  requested(" with another prefix length", NET, ["10.10.0.77/8"]),
  requested(" of both families", BOTH, ["fd00:10::77", "10.10.0.77"]),
  requested(" twice the same", NET, ["10.10.0.77", "10.10.0.77"]),
  requested(": one too many", NET, ["10.10.0.77", "10.10.0.78"]),
  requested(": outside", NET, ["10.11.0.77"]),
  requested(": outside of the bounds", within({ rangeStart: "10.10.0.100" }), ["10.10.0.77"]),
  requested(": gateway", NET, ["10.10.0.1"]),
  requested(": network address", NET, ["10.10.0.0"]),
  requested(": broadcast address", NET, ["10.10.0.255"]),
  requested(": second range of a set", range({ subnet: "10.10.0.0/24" }, { subnet: "10.20.0.0/24" }), [
    "10.20.0.9",
  ]),
  requested(": second set", BOTH, ["fd00:10::9"]),
  requested(": IPv6 in full", NET6, ["FD00:0010:0000::0077"]),
  requested(": none", NET, []),
  requested(": null", NET, null),
  life("args.cni.ips", NET, {}, { args: { cni: { ips: ["10.10.0.66"] } } }),
  withArgs("args.cni.ips and CNI_ARGS", "IP=10.10.0.65", NET, { args: { cni: { ips: ["10.10.0.66"] } } }),
  life(
    "args.cni.ips and runtimeConfig.ips",
    BOTH,
    {},
    { args: { cni: { ips: ["10.10.0.66"] } }, runtimeConfig: { ips: ["fd00:10::67"] } },
  ),
  withArgs("CNI_ARGS IP", "IP=10.10.0.65"),
  withArgs("CNI_ARGS IP with a prefix length", "IP=10.10.0.65/24"),
  withArgs("CNI_ARGS IP, IPv6", "IP=fd00:10::65", NET6),
  withArgs("CNI_ARGS IP and MAC", "IP=10.10.0.65;MAC=02:00:00:00:00:01"),
  withArgs("CNI_ARGS unknown", "FOO=1"),
  withArgs("CNI_ARGS unknown, ignored", "IgnoreUnknown=1;FOO=1"),
  withArgs("CNI_ARGS IP empty", "IP="),

  stepsCase("host-local: requested address is taken", [
    on("ADD", NET, { id: "first", label: "ADD first" }, { runtimeConfig: { ips: ["10.10.0.77"] } }),
    on("ADD", NET, { id: "second", label: "ADD second" }, { runtimeConfig: { ips: ["10.10.0.77"] } }),
    on("ADD", NET, { id: "third", label: "ADD after it" }),
  ]),
  stepsCase("host-local: second set's request fails", [
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
  adds("round robin through two ranges", TWO_RANGES, 4, [
    on("DEL", TWO_RANGES, { id: "id-0", label: "DEL 0" }),
    on("ADD", TWO_RANGES, { id: "id-9", label: "ADD 9" }),
  ]),
  adds("second set exhausted", sets([{ subnet: "10.10.0.0/24" }], [{ subnet: "fd00:10::/126" }]), 3),
  stepsCase("host-local: ADD twice", [
    on("ADD", NET),
    on("ADD", NET, { label: "ADD again" }),
    on("DEL", NET),
  ]),
  stepsCase("host-local: two interfaces of a container", [
    on("ADD", NET),
    on("ADD", NET, { ifname: "eth1", label: "ADD eth1" }),
    on("CHECK", NET, { ifname: "eth2", label: "CHECK eth2" }),
    on("DEL", NET, { ifname: "eth1", label: "DEL eth1" }),
    on("CHECK", NET, { ifname: "eth1", label: "CHECK eth1" }),
    on("CHECK", NET),
    on("DEL", NET),
  ]),
  stepsCase("host-local: CHECK without lease", [on("CHECK", NET)]),
  stepsCase("host-local: DEL without lease", [on("DEL", NET)]),
  prepared("hint of another subnet", "hint", lease("last_reserved_ip.0", "192.0.2.7")),
  prepared("hint in the middle", "hint", lease("last_reserved_ip.0", "10.10.0.99")),
  prepared("hint at the end", "hint", lease("last_reserved_ip.0", "10.10.0.254")),
  prepared("hint that is none", "hint", lease("last_reserved_ip.0", "nonsense")),
  prepared("hint with a newline", "hint", lease("last_reserved_ip.0", "10.10.0.99\\n")),
  prepared("lease of another in the way", "lease", lease("10.10.0.2", "another\\r\\neth0")),
  prepared("empty file in the way", "file", lease("10.10.0.2", "")),
  prepared("foreign files", "files", `${lease("README", "hello")}; ${lease("10.10.0.2.bak", "x")}`),
  prepared("lease in the old format", "lease", lease("10.10.0.5", "id-c1")),
  stepsCase("host-local: DEL of leases in all formats", [
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
  stepsCase("host-local: DEL of the old format alone", [
    change("lease", lease("10.10.0.4", " id-c1\\n")),
    on("CHECK", NET),
    on("DEL", NET),
  ]),
  stepsCase("host-local: GC", [
    on("ADD", NET, { id: "one", label: "ADD one" }),
    on("ADD", NET, { id: "two", label: "ADD two" }),
    on("GC", NET, { env: BARE }, { "cni.dev/valid-attachments": [{ containerID: "one", ifname: "eth0" }] }),
  ]),
  stepsCase("host-local: dataDir cannot be made", [
    change("file", `echo > ${FILES}/plain`),
    on("ADD", { ...NET, dataDir: `${FILES}/plain` }),
    on("CHECK", { ...NET, dataDir: `${FILES}/plain` }),
    on("DEL", { ...NET, dataDir: `${FILES}/plain` }),
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
    "start outside": within({ rangeStart: "10.11.0.5" }),
    "end outside": within({ rangeEnd: "10.11.0.5" }),
    "end before start": within({ rangeStart: "10.10.0.50", rangeEnd: "10.10.0.40" }),
    "start nonsense": within({ rangeStart: "nonsense" }),
    "end nonsense": within({ rangeEnd: "nonsense" }),
    "gateway nonsense": within({ gateway: "nonsense" }),
    "gateway a number": within({ gateway: 7 }),
    "start of another family": within({ rangeStart: "fd00::5" }),
  }),
  wrong("start beyond the default end", {
    start: within({ rangeStart: "10.10.0.255" }),
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
