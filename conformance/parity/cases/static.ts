/** static alone, and behind bridge. */
import { type CallStep, call, life as lifeOf, stepsCase } from "../../engine/case.ts";
import { BARE, type Json, type JsonRecord, LATEST, layer2, VALID, VERSIONS } from "../../engine/network.ts";

const config = (ipam: Json, keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "net",
  type: "bridge",
  ipam,
  ...keys,
});

type Options = CallStep["options"];

const on = (command: string, ipam: JsonRecord, options: Options = {}, keys: JsonRecord = {}) =>
  call(command, config({ type: "static", ...ipam }, keys), { plugin: "static", ...options });

const life = (name: string, ipam: JsonRecord, options: Options = {}, keys: JsonRecord = {}) =>
  stepsCase(`static: ${name}`, [
    on("ADD", ipam, options, keys),
    on("CHECK", ipam, { ...options, after: "ADD" }, keys),
    on("DEL", ipam, { ...options, after: "ADD" }, keys),
    on("DEL", ipam, { ...options, label: "DEL again" }, keys),
  ]);

/** ADD, CHECK and DEL of a configuration that is wrong. */
const wrong = (name: string, table: Readonly<Record<string, readonly [Json, JsonRecord?, string?]>>) =>
  stepsCase(
    `static, wrong: ${name}`,
    Object.entries(table).flatMap(([label, [ipam, keys, CNI_ARGS]]) =>
      ["ADD", "CHECK", "DEL"].map((command) =>
        call(command, config(ipam, keys), {
          plugin: "static",
          label: `${command} ${label}`,
          env: { CNI_ARGS },
        }),
      ),
    ),
    { stateAfter: "last" },
  );

const args = (CNI_ARGS: string): Options => ({ env: { CNI_ARGS } });
const one = (address: string, keys: JsonRecord = {}): JsonRecord => ({ addresses: [{ address, ...keys }] });
const own = (ipam: JsonRecord): JsonRecord => ({ type: "static", ...ipam });

const BOTH: JsonRecord = {
  addresses: [{ address: "10.10.0.5/24", gateway: "10.10.0.1" }, { address: "fd00:10::5/64" }],
};
const ROUTE = {
  dst: "192.0.2.0/24",
  gw: "10.10.0.9",
  mtu: 1300,
  advmss: 1260,
  priority: 7,
  table: 9,
  scope: 0,
};
const DNS = {
  nameservers: ["10.10.0.2"],
  domain: "example.org",
  search: ["a.example.org"],
  options: ["ndots:1"],
};
const RUNTIME = { runtimeConfig: { ips: ["10.13.0.5/24"] } };
const ARGUMENTS = { args: { cni: { ips: ["10.12.0.5/24", "fd00:12::5/64"] } } };

/** As it comes to CHECK: the addresses of BOTH, changed. */
const checkOf = (label: string, ips: readonly JsonRecord[]) =>
  on("CHECK", BOTH, { label }, { prevResult: { cniVersion: LATEST, ips } });

export const STATIC = [
  ...VERSIONS.map((cniVersion) =>
    life(
      `version ${cniVersion}`,
      { ...BOTH, routes: [ROUTE, { dst: "::/0" }], dns: DNS },
      {},
      { cniVersion },
    ),
  ),
  ...VERSIONS.map((cniVersion) =>
    life(
      `version ${cniVersion}, two addresses of IPv4`,
      { addresses: [{ address: "10.10.0.5/24" }, { address: "10.10.0.6/24" }] },
      {},
      { cniVersion },
    ),
  ),
  ...VERSIONS.map((cniVersion) => life(`version ${cniVersion}, no address`, {}, {}, { cniVersion })),
  life("/32 and a gateway elsewhere", one("10.10.0.5/32", { gateway: "192.0.2.1" })),
  life("/31", one("10.10.0.4/31", { gateway: "10.10.0.5" })),
  life("/127", one("fd00::/127")),
  life("keys in another case", { Addresses: [{ ADDRESS: "10.10.0.5/24", Gateway: "10.10.0.1" }] }),
  life("CNI_ARGS IP", BOTH, args("IP=10.11.0.5/24, 10.11.0.6/24")),
  life("CNI_ARGS IP and GATEWAY", BOTH, args("IP=10.11.0.5/24,fd00:11::5/64;GATEWAY=10.11.0.1, fd00:11::1")),
  life("CNI_ARGS GATEWAY, of the configuration", BOTH, args("GATEWAY=10.10.0.9")),
  life("CNI_ARGS IP and MAC", BOTH, args("IP=10.11.0.5/24, 10.11.0.6/24;MAC=02:00:5e:10:00:01")),
  life("CNI_ARGS as of Kubernetes", BOTH, args("IgnoreUnknown=1;K8S_POD_NAME=a")),
  life("CNI_ARGS empty values", BOTH, args("IP=;GATEWAY=")),
  life("args.cni.ips", BOTH, args("IP=10.11.0.5/24;GATEWAY=10.12.0.1"), ARGUMENTS),
  life("runtimeConfig.ips", BOTH, args("IP=10.11.0.5/24;GATEWAY=10.13.0.1"), { ...ARGUMENTS, ...RUNTIME }),
  life("runtimeConfig.ips, a wrong address", one("nonsense"), {}, RUNTIME),
  life("empty lists", BOTH, {}, { args: { cni: { ips: [] } }, runtimeConfig: { ips: [] } }),
  stepsCase("static: CHECK", [
    checkOf("both", [{ address: "10.10.0.5/24", gateway: "10.10.0.1" }, { address: "fd00:10::5/64" }]),
    checkOf("another gateway", [
      { address: "10.10.0.5/24", gateway: "10.10.0.9" },
      { address: "fd00:10::5/64" },
    ]),
    checkOf("a gateway more", [
      { address: "10.10.0.5/24", gateway: "10.10.0.1" },
      { address: "fd00:10::5/64", gateway: "fd00:10::1" },
    ]),
    checkOf("an address is missing", [{ address: "10.10.0.5/24", gateway: "10.10.0.1" }]),
    checkOf("another prefix length", [
      { address: "10.10.0.5/16", gateway: "10.10.0.1" },
      { address: "fd00:10::5/64" },
    ]),
    on("CHECK", BOTH, { label: "without prevResult" }),
  ]),
  stepsCase("static: STATUS and GC", [
    on("STATUS", BOTH, { env: BARE }),
    on("STATUS", {}, { env: BARE, label: "STATUS, no address" }),
    on("STATUS", one("10.10.0.5"), { env: BARE, label: "STATUS, wrong" }),
    on(
      "STATUS",
      one("10.10.0.5"),
      { env: BARE, label: "STATUS, of the runtime" },
      { capabilities: { ips: true } },
    ),
    on("GC", BOTH, { env: BARE }, { [VALID]: [] }),
    on("GC", one("10.10.0.5"), { env: BARE, label: "GC, no list" }),
  ]),
  wrong("no ipam", { absent: [null], text: ["x"] }),
  wrong("type of a key", {
    "addresses is text": [own({ addresses: "x" })],
    "an address is a number": [own({ addresses: [{ address: 5 }] })],
    "a gateway is a number": [own({ addresses: [{ address: "10.10.0.5/24", gateway: 5 }] })],
    "a gateway is none": [own({ addresses: [{ address: "10.10.0.5/24", gateway: "x" }] })],
    "routes is an object": [own({ routes: {} })],
    "dns is text": [own({ dns: "x" })],
    "ips is text": [own(BOTH), { runtimeConfig: { ips: "x" } }],
    "ips of args is text": [own(BOTH), { args: { cni: { ips: "x" } } }],
  }),
  wrong("addresses", {
    "no length": [own(one("10.10.0.5"))],
    nonsense: [own(one("nonsense"))],
    "too long a length": [own(one("10.10.0.5/33"))],
    none: [own({ addresses: [{}] })],
    "IP without a length": [own({}), {}, "IP=10.10.0.5"],
    "one of two": [own({}), {}, "IP=10.10.0.5/24,"],
    "in args": [own({}), { args: { cni: { ips: ["10.10.0.5"] } } }],
    "in runtimeConfig": [own({}), { runtimeConfig: { ips: ["10.10.0.5/24", "x"] } }],
    "in args, replaced": [own({}), { args: { cni: { ips: ["10.10.0.5"] } }, ...RUNTIME }],
    "GATEWAY is none": [own(BOTH), {}, "GATEWAY=x"],
    "unknown key": [own(BOTH), {}, "COLOUR=red"],
  }),
  stepsCase(
    "static: addresses that no interface can have",
    Object.entries({
      network: one("10.10.0.0/24"),
      "network of IPv6": one("fd00:10::/64"),
      broadcast: one("10.10.0.255/24"),
      unspecified: one("0.0.0.0/0"),
      multicast: one("224.0.0.5/24"),
      mapped: one("::ffff:10.10.0.5/120"),
      "listed twice": { addresses: [{ address: "10.10.0.5/24" }, { address: "10.10.0.5/24" }] },
      "gateway of the other family": one("10.10.0.5/24", { gateway: "fd00:10::1" }),
    }).map(([label, ipam]) => on("ADD", ipam, { label })),
    { stateAfter: "last" },
  ),
  lifeOf(
    "static behind bridge",
    layer2({ isGateway: true, ipam: own({ ...BOTH, routes: [{ dst: "0.0.0.0/0" }] }) }),
  ),
  lifeOf("static behind bridge, nothing", layer2({ ipam: own({}) })),
];
