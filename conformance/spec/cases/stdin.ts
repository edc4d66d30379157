/** The configuration on stdin: rules A9–A15. */
import {
  BARE,
  hostLocal,
  type Json,
  type JsonRecord,
  LATEST,
  network,
  ofEach,
  PLUGINS,
  type PluginName,
  spec,
  VALID,
  VERSIONS,
} from "../case.ts";

const STILL = { still: true };
const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;

const READ_ERROR = ofEach(PLUGINS, "A9: stdin cannot be read", STILL, async (bench, plugin) => {
  for (const command of COMMANDS) {
    for (const input of ["folder", "write-only"] as const) {
      const answer = await bench.callWith(input, command, { plugin, label: `${command}, stdin ${input}` });
      bench.refused(answer, { code: 5, says: "error reading from stdin" });
    }
    // A program that is started without stdin gets an empty one from its language's own start.
    const closed = await bench.callWith("closed", command, { plugin, label: `${command}, stdin closed` });
    bench.refused(closed, { code: [5, 6] });
  }
});

/** Text that is no JSON, and the line where the fault is. */
const FAULTS: Readonly<Record<string, readonly [text: string, line: number]>> = {
  empty: ["", 1],
  blank: [" \n", 2],
  word: ["hello", 1],
  "cut off": ['{"cniVersion":"1.1.0","name":', 1],
  "third line": ['{\n  "cniVersion": "1.1.0",\n  "name": spec\n}', 3],
  "missing comma": ['{\n  "cniVersion": "1.1.0"\n  "name": "spec"\n}', 3],
  "comma too many": ['{"cniVersion":"1.1.0",\n"name":"spec",\n}', 3],
  "two documents": ['{"cniVersion":"1.1.0","name":"spec"}\n{}', 2],
  comment: ['// a network\n{"cniVersion":"1.1.0","name":"spec"}', 1],
  "byte order mark": ['\ufeff{"cniVersion":"1.1.0","name":"spec"}', 1],
};

const NO_JSON = ofEach(PLUGINS, "A9: stdin is no JSON", STILL, async (bench, plugin) => {
  for (const command of COMMANDS) {
    for (const [how, [text, line]] of Object.entries(FAULTS)) {
      const answer = await bench.call(command, text, { plugin, label: `${command}, ${how}` });
      bench.refused(answer, { code: 6, says: new RegExp(`line ${line}, column \\d`) });
    }
  }
});

const NO_OBJECT = ofEach(PLUGINS, "A9: stdin is no object", STILL, async (bench, plugin) => {
  for (const text of ["[]", "7", '"spec"', "true", "null"])
    bench.refused(await bench.call("ADD", text, { plugin, label: `ADD, ${text}` }), { code: 6 });
});

const NAMES = {
  good: ["a", "A0_.-", "7", "a..b"],
  bad: ["a/b", "..", "-a", "_a", "a b", "a:b", "a\n", "ä", "a\u0000b"],
};

const NAME = ofEach(PLUGINS, "A10: the network's name", STILL, async (bench, plugin) => {
  for (const command of COMMANDS) {
    for (const [how, name] of [
      ["absent", undefined],
      ["empty", ""],
    ] as const) {
      const { name: _, ...rest } = network({ [VALID]: [] });
      const config = name === undefined ? rest : { ...rest, name };
      const answer = await bench.call(command, config, { plugin, label: `${command}, name ${how}` });
      bench.refused(answer, { code: 7, says: "missing network name" });
    }
    for (const name of NAMES.bad) {
      const options = { plugin, label: `${command}, ${JSON.stringify(name)}` };
      bench.refused(await bench.call(command, network({ name, [VALID]: [] }), options), {
        code: 7,
        details: name,
      });
    }
  }
  for (const name of NAMES.good)
    bench.accepted(
      await bench.call("STATUS", network({ name }), { plugin, label: `STATUS, ${name}`, env: BARE }),
    );
  for (const config of ["", "{}", '{"name":"a/b"}', "nonsense"])
    bench.accepted(await bench.call("VERSION", config, { plugin, label: `VERSION, ${config}` }));
});

const NO_VERSION = ofEach(PLUGINS, "A11: cniVersion absent or empty is 0.1.0", {}, async (bench, plugin) => {
  const { cniVersion: _, ...rest } = network();
  for (const [how, config] of Object.entries({ absent: rest, empty: { ...rest, cniVersion: "" } })) {
    const added = await bench.call("ADD", config, { plugin, label: `ADD, version ${how}` });
    bench.accepted(added);
    bench.is(`version ${how}: keys of the result`, Object.keys(added.document ?? {}).includes("ip4"), true);
    bench.refused(await bench.call("CHECK", config, { plugin, label: `CHECK, version ${how}` }), { code: 1 });
    bench.accepted(await bench.call("DEL", config, { plugin, label: `DEL, version ${how}` }));
  }
});

const OTHERS = ["0.0.1", "0.3.2", "0.9.0", "1.0.1", "1.2.0", "2.0.0", "10.0.0"];

const UNSUPPORTED = ofEach(PLUGINS, "A11: a version that is not supported", STILL, async (bench, plugin) => {
  for (const cniVersion of OTHERS) {
    for (const command of ["ADD", "DEL"]) {
      const options = { plugin, label: `${command}, ${cniVersion}` };
      const answer = await bench.call(command, network({ cniVersion }), options);
      bench.refused(answer, { code: 1, says: "incompatible CNI versions" });
      const details = String(answer.error.details);
      const namesBoth = [cniVersion, ...VERSIONS].every((version) => details.includes(version));
      bench.holds(
        `${command}, ${cniVersion}: details name the version and those that work`,
        namesBoth,
        details,
      );
    }
  }
});

const TOO_OLD = { CHECK: VERSIONS.slice(0, 4), GC: VERSIONS.slice(0, 6), STATUS: VERSIONS.slice(0, 6) };
const NO_NUMBERS = ["abc", "1.x.0", "1.1.0.0", "v1.1.0"];

const COMMAND_VERSIONS = ofEach(
  PLUGINS,
  "A12: versions that know the command",
  STILL,
  async (bench, plugin) => {
    for (const [command, tooOld] of Object.entries(TOO_OLD)) {
      for (const cniVersion of ["", ...tooOld]) {
        const options = { plugin, label: `${command}, ${cniVersion || "empty"}` };
        const answer = await bench.call(command, network({ cniVersion, [VALID]: [] }), options);
        bench.refused(answer, { code: 1, says: `config version does not allow ${command}` });
      }
      for (const cniVersion of NO_NUMBERS) {
        const options = { plugin, label: `${command}, ${cniVersion}` };
        bench.refused(await bench.call(command, network({ cniVersion, [VALID]: [] }), options), { code: 6 });
      }
    }
    const config = network({ [VALID]: [] });
    for (const command of ["GC", "STATUS"])
      bench.accepted(
        await bench.call(command, config, { plugin, label: `${command}, ${LATEST}`, env: BARE }),
      );
  },
);

const CHECK_VERSIONS = ofEach(PLUGINS, "A12: versions that know CHECK", {}, async (bench, plugin) => {
  for (const cniVersion of VERSIONS.slice(4)) {
    const config = network({ cniVersion });
    const added = await bench.call("ADD", config, { plugin, label: `ADD, ${cniVersion}` });
    bench.accepted(
      await bench.call("CHECK", config, { plugin, label: `CHECK, ${cniVersion}`, after: added }),
    );
    bench.accepted(await bench.call("DEL", config, { plugin, label: `DEL, ${cniVersion}`, after: added }));
  }
});

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

const UNKNOWN = ofEach(PLUGINS, "A14: unknown keys are accepted", {}, async (bench, plugin) => {
  const config = network(UNKNOWN_KEYS);
  const added = await bench.call("ADD", config, { plugin });
  bench.accepted(added);
  for (const command of ["CHECK", "DEL", "STATUS"])
    bench.accepted(await bench.call(command, config, { plugin, after: added }));
});

/** Each with its keys in another case. */
const OTHER_CASE: Readonly<Record<PluginName, string>> = {
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

const CASE = ofEach(PLUGINS, "A14: keys in another case", {}, async (bench, plugin) => {
  const config = OTHER_CASE[plugin];
  const added = await bench.call("ADD", config, { plugin });
  bench.accepted(added);
  const ips = JSON.stringify(added.document?.ips);
  if (plugin !== "loopback")
    bench.holds("the range's start counts", ips?.includes("10.10.0.9/24") === true, ips);
  if (plugin === "bridge") bench.is("the mtu counts", (await bench.links("c1")).get("eth0")?.mtu, 1400);
  bench.accepted(await bench.call("DEL", config, { plugin }));
});

/** Values of a wrong type, by the path of the key. */
const WRONG_TYPES: Readonly<Record<PluginName, Readonly<Record<string, JsonRecord>>>> = {
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
  loopback: {
    prevResult: { prevResult: [] },
  },
};

const TYPES = ofEach(
  PLUGINS,
  "A14: a wrong type is rejected with the key's path",
  STILL,
  async (bench, plugin) => {
    const common: Record<string, JsonRecord> = { name: { name: 7 }, cniVersion: { cniVersion: 1.1 } };
    for (const [path, keys] of Object.entries({ ...common, ...WRONG_TYPES[plugin] })) {
      const answer = await bench.call("ADD", network(keys), { plugin, label: `ADD, ${path}` });
      bench.refused(answer, { code: [6, 7], says: path });
    }
  },
);

const RESERVED: JsonRecord = {
  runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: "tcp" }], other: { a: [1] } },
  args: { labels: [{ key: "a", value: "b" }], cni: { unknown: true } },
  "cni.dev/anything": { list: [1, null] },
  "cni.dev/attachments": [{ containerID: "other", ifname: "eth0" }],
  capabilities: { portMappings: true, ips: true, mac: false },
};

const KEPT_FREE = ofEach(PLUGINS, "A15: reserved keys are no trouble", {}, async (bench, plugin) => {
  const config = network(RESERVED);
  const plain = await bench.call("ADD", network(), { plugin, id: "plain", label: "ADD without them" });
  bench.accepted(plain);
  bench.accepted(await bench.call("DEL", network(), { plugin, id: "plain", label: "DEL without them" }));
  const added = await bench.call("ADD", config, { plugin });
  bench.accepted(added);
  bench.is("keys of the result", Object.keys(added.document ?? {}), Object.keys(plain.document ?? {}));
  for (const command of ["CHECK", "DEL", "STATUS"])
    bench.accepted(await bench.call(command, config, { plugin, after: added }));
});

const NULLS = spec("A14, A15: null is a key left out", {}, async (bench) => {
  const keys = [
    "mtu",
    "vlan",
    "hairpinMode",
    "dns",
    "runtimeConfig",
    "args",
    "prevResult",
    "capabilities",
    "ipMasq",
  ];
  const nothing = Object.fromEntries(keys.map((key): [string, Json] => [key, null]));
  bench.accepted(await bench.call("ADD", network(nothing)));
  bench.accepted(await bench.call("DEL", network(nothing)));
});

export const STDIN = [
  ...READ_ERROR,
  ...NO_JSON,
  ...NO_OBJECT,
  ...NAME,
  ...NO_VERSION,
  ...UNSUPPORTED,
  ...COMMAND_VERSIONS,
  ...CHECK_VERSIONS,
  ...UNKNOWN,
  ...CASE,
  ...TYPES,
  ...KEPT_FREE,
  NULLS,
];
