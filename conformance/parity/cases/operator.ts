/** STATUS, GC, VERSION, the about line, and calls that no command fits. */
import {
  bridgeConfig,
  call,
  change,
  DUAL,
  deleteNamespace,
  hostLocal,
  IPV4,
  type JsonRecord,
  type Plugin,
  parityCase,
  VERSIONS,
} from "../case.ts";

const PLUGINS: readonly Plugin[] = ["bridge", "host-local", "loopback"];

const GATEWAY = bridgeConfig({ isGateway: true, ipMasq: true, ipam: DUAL });

/** Environment of STATUS and GC: nothing of an attachment. */
const BARE = { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined };

const status = (name: string, config: JsonRecord | string, script = ":") =>
  parityCase(`STATUS: ${name}`, [change("before", script), call("STATUS", config, { env: BARE })]);

const gc = (name: string, keys: JsonRecord) =>
  parityCase(
    `GC: ${name}`,
    [
      call("ADD", GATEWAY, { label: "ADD c1" }),
      call("ADD", GATEWAY, { container: "c2", label: "ADD c2" }),
      call("GC", { ...GATEWAY, ...keys }, { env: BARE }),
      call("DEL", GATEWAY, { label: "DEL c1", resultOf: "ADD c1" }),
      call("DEL", GATEWAY, { container: "c2", label: "DEL c2", resultOf: "ADD c2" }),
    ],
    { containers: ["c1", "c2"] },
  );

const C1 = { containerID: "id-c1", ifname: "eth0" };
const C2 = { containerID: "id-c2", ifname: "eth0" };
const VALID = "cni.dev/valid-attachments";

export const OPERATOR = [
  status("ready", GATEWAY),
  status("layer 2", bridgeConfig()),
  status("bridge there", GATEWAY, "ip link add cni0 type bridge"),
  status("bridge's name taken", GATEWAY, "ip link add cni0 type veth peer name other"),
  status("ipam that does not exist", bridgeConfig({ ipam: { type: "no-such-ipam" } })),
  status("wrong range", bridgeConfig({ ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/32" }]] }) })),
  status("no ranges", bridgeConfig({ ipam: hostLocal({}) })),
  status("hairpin and promiscuous mode", bridgeConfig({ hairpinMode: true, promiscMode: true })),
  status("wrong vlan", bridgeConfig({ vlan: 5000 })),
  status("wrong type of a key", bridgeConfig({ mtu: "large" })),
  status("every variable set", GATEWAY),
  parityCase("STATUS: range exhausted", [
    call("ADD", bridgeConfig({ ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/30" }]] }) })),
    call("STATUS", bridgeConfig({ ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/30" }]] }) }), {
      env: BARE,
    }),
    call(
      "STATUS",
      bridgeConfig({
        ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/30" }]], statusReportsExhaustion: true }),
      }),
      { env: BARE, label: "STATUS, strict" },
    ),
  ]),
  parityCase(
    "STATUS of every plugin",
    PLUGINS.map((plugin) =>
      call("STATUS", bridgeConfig({ ipam: IPV4 }), { plugin, label: plugin, env: BARE }),
    ),
  ),
  parityCase(
    "STATUS of every version",
    VERSIONS.map((cniVersion) =>
      call("STATUS", bridgeConfig({ cniVersion, ipam: IPV4 }), { label: cniVersion, env: BARE }),
    ),
  ),

  gc("all valid", { [VALID]: [C1, C2] }),
  gc("one stale", { [VALID]: [C1] }),
  gc("all stale", { [VALID]: [] }),
  gc("list absent", {}),
  gc("list null", { [VALID]: null }),
  parityCase("GC: nothing to do", [call("GC", { ...GATEWAY, [VALID]: [] }, { env: BARE })]),
  parityCase("GC: layer 2", [
    call("ADD", bridgeConfig()),
    call("GC", bridgeConfig({ [VALID]: [] }), { env: BARE }),
    call("DEL", bridgeConfig(), { resultOf: "ADD" }),
  ]),
  parityCase("GC: of another network", [
    call("ADD", GATEWAY),
    call("GC", { ...GATEWAY, name: "another", [VALID]: [] }, { env: BARE }),
    call("CHECK", GATEWAY, { resultOf: "ADD" }),
  ]),
  parityCase("GC: namespace gone", [
    call("ADD", GATEWAY),
    change("delete the namespace", deleteNamespace("c1")),
    call("GC", { ...GATEWAY, [VALID]: [] }, { env: BARE }),
  ]),
  parityCase(
    "GC of every plugin",
    PLUGINS.map((plugin) =>
      call("GC", bridgeConfig({ ipam: IPV4, [VALID]: [] }), { plugin, label: plugin, env: BARE }),
    ),
  ),
  parityCase(
    "GC of every version",
    VERSIONS.map((cniVersion) =>
      call("GC", bridgeConfig({ cniVersion, ipam: IPV4, [VALID]: [] }), { label: cniVersion, env: BARE }),
    ),
  ),

  ...PLUGINS.map((plugin) =>
    parityCase(`VERSION of ${plugin}`, [
      call("VERSION", "", { plugin, label: "nothing on stdin", env: { ...BARE, CNI_PATH: undefined } }),
      call("VERSION", { cniVersion: "1.0.0" }, { plugin, label: "as libcni asks" }),
      call("VERSION", "nonsense", { plugin, label: "nonsense on stdin" }),
      call("VERSION", "", {
        plugin,
        label: "with wrong variables",
        env: { CNI_CONTAINERID: "/", CNI_IFNAME: "a b" },
      }),
      call(undefined, "", {
        plugin,
        label: "no command",
        comparesStderr: true,
        env: { ...BARE, CNI_PATH: undefined },
      }),
      call("", "nonsense", { plugin, label: "empty command", comparesStderr: true }),
    ]),
  ),
  ...PLUGINS.map((plugin) =>
    parityCase(`unknown commands of ${plugin}`, [
      call("FROB", bridgeConfig({ ipam: IPV4 }), { plugin, label: "FROB" }),
      call("add", bridgeConfig({ ipam: IPV4 }), { plugin, label: "add" }),
      call(" ADD", bridgeConfig({ ipam: IPV4 }), { plugin, label: "blank before ADD" }),
      call("FROB", "nonsense", { plugin, label: "FROB with nonsense" }),
      call("FROB", "", { plugin, label: "FROB with nothing" }),
      call("FROB", { cniVersion: "1.1.0" }, { plugin, label: "FROB without a name" }),
      call("FROB", bridgeConfig({ cniVersion: "9.0.0" }), { plugin, label: "FROB of an unknown version" }),
      call("FROB", bridgeConfig({ ipam: IPV4 }), {
        plugin,
        label: "FROB without variables",
        env: { ...BARE, CNI_PATH: undefined },
      }),
    ]),
  ),
];
