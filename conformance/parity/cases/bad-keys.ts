/** Wrong values of each key of the bridge plugin: type by type, range by range, and keys that exclude each other. */
import { call, stepsCase } from "../../engine/case.ts";
import { DUAL, IPV4, type Json, type JsonRecord, layer2 } from "../../engine/network.ts";
import { BOOLEANS } from "../tables.ts";

const TYPES: Readonly<Record<string, Json>> = {
  text: "x",
  number: 7,
  fraction: 1.5,
  true: true,
  array: [],
  object: {},
};

/** ADD, CHECK, DEL and STATUS with each of the values. */
const bad = (
  name: string,
  configs: Readonly<Record<string, JsonRecord>>,
  commands = ["ADD", "DEL", "STATUS"],
) =>
  stepsCase(
    `bad configuration: ${name}`,
    Object.entries(configs).flatMap(([label, keys]) =>
      commands.map((command) => call(command, layer2(keys), { label: `${command} ${label}` })),
    ),
    { stateAfter: "last" },
  );

const typed = (
  key: string,
  right: readonly string[],
  wrap: (value: Json) => JsonRecord = (value) => ({ [key]: value, ipam: IPV4 }),
) =>
  bad(
    `type of ${key}`,
    Object.fromEntries(
      Object.entries(TYPES).flatMap(([type, value]) =>
        right.includes(type) ? [] : [[`${key} is ${type}`, wrap(value)]],
      ),
    ),
  );

export const BAD_KEYS = [
  ...BOOLEANS.map((key) => typed(key, ["true"])),
  typed("bridge", ["text"]),
  typed("mtu", ["number"]),
  typed("vlan", ["number"]),
  typed("vlanTrunk", ["array"]),
  typed("ipMasqBackend", ["text"], (ipMasqBackend) => ({ ipMasq: true, ipMasqBackend, ipam: IPV4 })),
  typed("ipam", ["object"], (ipam) => ({ ipam })),
  typed("ipam.type", ["text"], (type) => ({ ipam: { ...IPV4, type } })),
  typed("dns", ["object"]),
  typed("dns.nameservers", ["array"], (nameservers) => ({ dns: { nameservers }, ipam: IPV4 })),
  typed("dns.domain", ["text"], (domain) => ({ dns: { domain }, ipam: IPV4 })),
  typed("runtimeConfig", ["object"]),
  typed("runtimeConfig.mac", ["text"], (mac) => ({ runtimeConfig: { mac }, ipam: IPV4 })),
  typed("args", ["object"]),
  typed("args.cni", ["object"], (cni) => ({ args: { cni }, ipam: IPV4 })),
  typed("args.cni.mac", ["text"], (mac) => ({ args: { cni: { mac } }, ipam: IPV4 })),
  typed("prevResult", ["object"]),
  bad("bridge", {
    "16 bytes": { bridge: "br-1234567890123", ipam: IPV4 },
    slash: { bridge: "a/b", ipam: IPV4 },
    colon: { bridge: "a:b", ipam: IPV4 },
    blank: { bridge: "a b", ipam: IPV4 },
    dot: { bridge: ".", ipam: IPV4 },
    "two dots": { bridge: "..", ipam: IPV4 },
    "layer 2 slash": { bridge: "a/b" },
  }),
  bad("bridge empty", { empty: { bridge: "" } }, ["ADD", "DEL"]),
  bad("mtu", {
    "too small": { mtu: 60, ipam: IPV4 },
    "too small for IPv6": { mtu: 1000, isGateway: true, ipam: DUAL },
    "too large": { mtu: 65536, ipam: IPV4 },
    "far too large": { mtu: 9999999999, ipam: IPV4 },
  }),
  bad("mtu below 0", { "below 0": { mtu: -1, ipam: IPV4 } }, ["ADD", "DEL"]),
  bad("vlan", { "-1": { vlan: -1 }, "4095": { vlan: 4095 }, "5000": { vlan: 5000, ipam: IPV4 } }),
  bad("vlanTrunk", {
    "minID alone": { vlanTrunk: [{ minID: 5 }] },
    "maxID alone": { vlanTrunk: [{ maxID: 5 }] },
    "minID 0": { vlanTrunk: [{ minID: 0, maxID: 5 }] },
    "maxID 4095": { vlanTrunk: [{ minID: 5, maxID: 4095 }] },
    "minID above maxID": { vlanTrunk: [{ minID: 6, maxID: 5 }] },
    "id 0": { vlanTrunk: [{ id: 0 }] },
    "id 4095": { vlanTrunk: [{ id: 4095 }] },
    "id is text": { vlanTrunk: [{ id: "5" }] },
    "item is a number": { vlanTrunk: [5] },
    "second item": { vlanTrunk: [{ id: 5 }, { id: -1 }] },
  }),
  bad(
    "hairpin and promiscuous mode",
    {
      both: { hairpinMode: true, promiscMode: true },
      "both with ipam": { hairpinMode: true, promiscMode: true, ipam: IPV4 },
    },
    ["ADD", "DEL"],
  ),
  bad("disableContainerInterface with ipam", { both: { disableContainerInterface: true, ipam: IPV4 } }, [
    "ADD",
    "DEL",
  ]),
  bad("ipMasqBackend", { unknown: { ipMasq: true, ipMasqBackend: "ebpf", ipam: IPV4 } }, ["ADD"]),
  bad("ipMasqBackend empty", { empty: { isGateway: true, ipMasq: true, ipMasqBackend: "", ipam: IPV4 } }, [
    "ADD",
  ]),
  bad("ipMasqBackend unknown, no ipMasq", { unknown: { ipMasqBackend: "ebpf", ipam: IPV4 } }, ["ADD"]),
  bad(
    "MAC",
    {
      nonsense: { runtimeConfig: { mac: "nonsense" }, ipam: IPV4 },
      short: { runtimeConfig: { mac: "02:00:5e:00:00" }, ipam: IPV4 },
      "group address": { runtimeConfig: { mac: "01:00:5e:00:00:01" }, ipam: IPV4 },
      zero: { runtimeConfig: { mac: "00:00:00:00:00:00" }, ipam: IPV4 },
      "eight bytes": { runtimeConfig: { mac: "02:00:5e:00:00:01:02:03" }, ipam: IPV4 },
      "in args.cni": { args: { cni: { mac: "nonsense" } }, ipam: IPV4 },
    },
    ["ADD", "DEL"],
  ),
  bad("ipam.type", {
    "does not exist": { ipam: { type: "no-such-ipam" } },
    "with a slash": { ipam: { type: "../bin/host-local" } },
    "absolute path": { ipam: { type: "/run/conformance/bin/host-local" } },
    "no IPAM": { ipam: { type: "loopback" } },
  }),
];
