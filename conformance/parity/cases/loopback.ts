/** The loopback plugin. */
import { type CallStep, call, change, stepsCase } from "../../engine/case.ts";
import { inside, type JsonRecord, LATEST, VERSIONS } from "../../engine/network.ts";

const loopback = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "net",
  type: "loopback",
  ...keys,
});

const lo = (command: string, options: CallStep["options"] = {}, keys: JsonRecord = {}) =>
  call(command, loopback(keys), { plugin: "loopback", ifname: "lo", ...options });

const life = (name: string, keys: JsonRecord = {}, options: CallStep["options"] = {}, script = ":") =>
  stepsCase(`loopback: ${name}`, [
    change("before", script),
    lo("ADD", options, keys),
    lo("CHECK", { ...options, after: "ADD" }, keys),
    lo("DEL", { ...options, after: "ADD" }, keys),
    lo("DEL", { ...options, after: "ADD", label: "DEL again" }, keys),
  ]);

/** A result as a plugin before gives it in each version. */
function previous(cniVersion: string): JsonRecord {
  const dns = { nameservers: ["192.0.2.1"] };
  const routes = [{ dst: "0.0.0.0/0", gw: "192.0.2.1" }];
  if (/^0\.[12]/.test(cniVersion))
    return { cniVersion, ip4: { ip: "192.0.2.7/24", gateway: "192.0.2.1", routes }, dns };
  const version = cniVersion.startsWith("0") ? { version: "4" } : {};
  return {
    cniVersion,
    interfaces: [{ name: "eth0", mac: "02:00:5e:00:00:07", sandbox: "/run/netns/c1" }],
    ips: [{ ...version, interface: 0, address: "192.0.2.7/24", gateway: "192.0.2.1" }],
    routes,
    dns,
  };
}

export const LOOPBACK = [
  ...VERSIONS.map((cniVersion) => life(`version ${cniVersion}`, { cniVersion })),
  ...VERSIONS.map((cniVersion) =>
    stepsCase(`loopback: prevResult, version ${cniVersion}`, [
      lo("ADD", {}, { cniVersion, prevResult: previous(cniVersion) }),
    ]),
  ),
  stepsCase("loopback: prevResult without version", [
    lo("ADD", {}, { cniVersion: "1.1.0", prevResult: { ips: [{ address: "192.0.2.7/24" }] } }),
  ]),
  stepsCase("loopback: prevResult wrong", [
    lo("ADD", {}, { prevResult: { cniVersion: LATEST, ips: [{ address: "nonsense" }] } }),
  ]),
  life("another CNI_IFNAME", {}, { ifname: "eth0" }),
  life("lo is up", {}, {}, inside("c1", "ip link set lo up")),
  life("IPv6 is off", {}, {}, inside("c1", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")),
  life("another loopback address", {}, {}, inside("c1", "ip link set lo up; ip addr add 127.0.0.2/8 dev lo")),
  life("an address that is no loopback address", {}, {}, inside("c1", "ip addr add 192.0.2.1/32 dev lo")),
  life(
    "an IPv6 address that is no loopback address",
    {},
    {},
    inside("c1", "ip addr add fd00::1/128 dev lo nodad"),
  ),
  life("dns in the configuration", { dns: { domain: "example.org" } }),
  stepsCase("loopback: CHECK before ADD", [lo("CHECK")]),
  stepsCase("loopback: CHECK after lo went down", [
    lo("ADD"),
    change("down", inside("c1", "ip link set lo down")),
    lo("CHECK", { after: "ADD" }),
  ]),
  stepsCase("loopback: CHECK after its address went", [
    lo("ADD"),
    change("lose it", inside("c1", "ip addr del 127.0.0.1/8 dev lo")),
    lo("CHECK", { after: "ADD" }),
  ]),
  stepsCase("loopback: DEL without namespace", [
    lo("DEL", { env: { CNI_NETNS: undefined }, label: "unset" }),
    lo("DEL", { env: { CNI_NETNS: "/run/netns/never" }, label: "never there" }),
    change("a plain file is left", "umount -l /run/netns/c1"),
    lo("DEL", { label: "plain file" }),
    change("remove it", "rm /run/netns/c1"),
    lo("DEL", { label: "gone" }),
  ]),
  stepsCase("loopback: wrong types", [
    lo("ADD", { label: "dns is text" }, { dns: "x" }),
    lo("ADD", { label: "ipam is text" }, { ipam: "x" }),
    lo("ADD", { label: "prevResult is text" }, { prevResult: "x" }),
    lo("ADD", { label: "prevResult is null" }, { prevResult: null }),
  ]),
];
