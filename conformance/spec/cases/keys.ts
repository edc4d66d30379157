/** Keys of the configuration: rules A14 and A15. */
import { hostLocal, type Json, type JsonRecord, LATEST, network, PLUGINS } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

const STILL = { still: true };

const UNKNOWN_KEYS = {
  ipRange: "10.0.0.0/8",
  resolveConf: "/etc/resolv.conf",
  nerdctlID: 7,
  something: { deep: [null, 1.5, { x: [] }] },
  ipam: {
    ...hostLocal(),
    unknown: true,
    routes: [{ dst: "192.0.2.0/24", gateway: "10.10.0.1", comment: "" }],
    ranges: [[{ subnet: "10.10.0.0/24", note: "first" }]],
  },
};

ofEach(PLUGINS, "A14: unknown keys are accepted", async (bench) => {
  const config = network(UNKNOWN_KEYS);
  const added = await bench.accepts("ADD", config);
  for (const command of ["CHECK", "DEL", "STATUS"]) await bench.accepts(command, config, { after: added });
});

/** Each with its keys in another case. */
const OTHER_CASE: Readonly<Record<(typeof PLUGINS)[number], string>> = {
  bridge: JSON.stringify({
    CNIVersion: LATEST,
    NAME: "spec",
    Bridge: "cni0",
    ISGATEWAY: true,
    Mtu: 1400,
    IPAM: { Type: "host-local", Ranges: [[{ Subnet: "10.10.0.0/24", RANGESTART: "10.10.0.9" }]] },
  }),
  "host-local": JSON.stringify({
    cniversion: LATEST,
    Name: "spec",
    Ipam: {
      type: "host-local",
      RANGES: [[{ SUBNET: "10.10.0.0/24", rangestart: "10.10.0.9" }]],
      Routes: [{ DST: "0.0.0.0/0" }],
    },
  }),
  loopback: JSON.stringify({ CniVersion: LATEST, nAME: "spec" }),
};

ofEach(PLUGINS, "A14: keys in another case", async (bench, plugin) => {
  const config = OTHER_CASE[plugin];
  const added = await bench.accepts("ADD", config);
  const ips = JSON.stringify(added.document?.ips);
  if (plugin !== "loopback")
    bench.holds("the range's start counts", ips?.includes("10.10.0.9/24") === true, ips);
  if (plugin === "bridge") bench.is("the mtu counts", (await bench.links("c1")).get("eth0")?.mtu, 1400);
  await bench.accepts("DEL", config);
});

/** Values of a wrong type, by the path of the key. */
const WRONG_TYPES: Readonly<Record<(typeof PLUGINS)[number], Readonly<Record<string, JsonRecord>>>> = {
  bridge: {
    bridge: { bridge: 7 },
    isGateway: { isGateway: "yes" },
    isDefaultGateway: { isDefaultGateway: 1 },
    forceAddress: { forceAddress: "true" },
    ipMasq: { ipMasq: [] },
    ipMasqBackend: { ipMasq: true, ipMasqBackend: 7 },
    mtu: { mtu: "1500" },
    hairpinMode: { hairpinMode: {} },
    promiscMode: { promiscMode: "on" },
    vlan: { vlan: "7" },
    vlanTrunk: { vlanTrunk: { id: 7 } },
    macspoofchk: { macspoofchk: 1 },
    enabledad: { enabledad: "" },
    portIsolation: { portIsolation: 0 },
    disableContainerInterface: { disableContainerInterface: "no" },
    preserveDefaultVlan: { preserveDefaultVlan: "no" },
    ipam: { ipam: "host-local" },
    "ipam.type": { ipam: { type: 7 } },
    dns: { dns: [] },
    "dns.nameservers": { dns: { nameservers: "192.0.2.1" } },
    runtimeConfig: { runtimeConfig: [] },
    "runtimeConfig.mac": { runtimeConfig: { mac: 7 } },
    args: { args: "IP=10.10.0.9" },
    "args.cni": { args: { cni: [] } },
    prevResult: { prevResult: "none" },
  },
  "host-local": {
    ipam: { ipam: [] },
    "ipam.ranges": { ipam: { type: "host-local", ranges: {} } },
    "ipam.ranges[0]": { ipam: { type: "host-local", ranges: [7] } },
    "ipam.ranges[0][0].subnet": { ipam: { type: "host-local", ranges: [[{ subnet: 7 }]] } },
    "ipam.routes": { ipam: hostLocal([], { subnet: "10.10.0.0/24", routes: {} }) },
    "ipam.dataDir": { ipam: hostLocal(undefined, { dataDir: 7 }) },
    "ipam.resolvConf": { ipam: hostLocal(undefined, { resolvConf: 7 }) },
    "runtimeConfig.ipRanges": { runtimeConfig: { ipRanges: {} } },
    "args.cni.ips": { args: { cni: { ips: "10.10.0.9" } } },
  },
  loopback: { prevResult: { prevResult: [] } },
};

ofEach(PLUGINS, "A14: a wrong type is rejected with the key's path", STILL, async (bench, plugin) => {
  const common: Record<string, JsonRecord> = { name: { name: 7 }, cniVersion: { cniVersion: 1.1 } };
  for (const [path, keys] of Object.entries({ ...common, ...WRONG_TYPES[plugin] })) {
    await bench.refuses({ code: [6, 7], says: path }, "ADD", network(keys), { how: path });
  }
});

const RESERVED: JsonRecord = {
  runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: "tcp" }], other: { a: [1] } },
  args: { labels: [{ key: "a", value: "b" }], cni: { unknown: true } },
  "cni.dev/anything": { list: [1, null] },
  "cni.dev/attachments": [{ containerID: "other", ifname: "eth0" }],
  capabilities: { portMappings: true, ips: true, mac: false },
};

ofEach(PLUGINS, "A15: reserved keys are no trouble", async (bench) => {
  const config = network(RESERVED);
  const plain = await bench.accepts("ADD", network(), { id: "plain", label: "ADD without them" });
  await bench.accepts("DEL", network(), { id: "plain", label: "DEL without them" });
  const added = await bench.accepts("ADD", config);
  bench.is("keys of the result", Object.keys(added.document ?? {}), Object.keys(plain.document ?? {}));
  for (const command of ["CHECK", "DEL", "STATUS"]) await bench.accepts(command, config, { after: added });
});

spec("A14, A15: null is a key left out", async (bench) => {
  const keys = [
    ...["mtu", "vlan", "hairpinMode", "dns", "runtimeConfig", "args", "prevResult", "capabilities", "ipMasq"],
  ];
  const nothing = Object.fromEntries(keys.map((key): [string, Json] => [key, null]));
  await bench.accepts("ADD", network(nothing));
  await bench.accepts("DEL", network(nothing));
});
