/** STATUS, GC, VERSION, the about line, and calls that no command fits. */
import { call, change, stepsCase } from "../../engine/case.ts";
import {
  ALL_PLUGINS,
  BARE,
  DUAL,
  deleteNamespace,
  hostLocal,
  IPV4,
  type JsonRecord,
  layer2,
  VALID,
  VERSIONS,
} from "../../engine/network.ts";
import { inTurn } from "../tables.ts";

const GATEWAY = layer2({ isGateway: true, ipMasq: true, ipam: DUAL });

const status = (name: string, config: JsonRecord | string, script = ":") =>
  stepsCase(`STATUS: ${name}`, [change("before", script), call("STATUS", config, { env: BARE })]);

const gc = (name: string, keys: JsonRecord) =>
  stepsCase(
    `GC: ${name}`,
    [
      ...inTurn("ADD", GATEWAY, "c1", "c2"),
      call("GC", { ...GATEWAY, ...keys }, { env: BARE }),
      ...inTurn("DEL", GATEWAY, "c1", "c2"),
    ],
    { containers: ["c1", "c2"] },
  );

/** The command of each plugin, and of each version. */
const each = (command: string, keys: JsonRecord) => [
  stepsCase(
    `${command} of every plugin`,
    ALL_PLUGINS.map((plugin) => call(command, layer2(keys), { plugin, label: plugin, env: BARE })),
  ),
  stepsCase(
    `${command} of every version`,
    VERSIONS.map((cniVersion) =>
      call(command, layer2({ cniVersion, ...keys }), { label: cniVersion, env: BARE }),
    ),
  ),
];

const SMALL = hostLocal(["10.10.0.0/30"]);
const NOTHING = { ...BARE, CNI_PATH: undefined };

const C1 = { containerID: "id-c1", ifname: "eth0" };
const C2 = { containerID: "id-c2", ifname: "eth0" };

export const OPERATOR = [
  status("ready", GATEWAY),
  status("layer 2", layer2()),
  status("bridge there", GATEWAY, "ip link add cni0 type bridge"),
  status("bridge's name taken", GATEWAY, "ip link add cni0 type veth peer name other"),
  status("ipam that does not exist", layer2({ ipam: { type: "no-such-ipam" } })),
  status("wrong range", layer2({ ipam: hostLocal(["10.10.0.0/32"]) })),
  status("no ranges", layer2({ ipam: { type: "host-local" } })),
  status("hairpin and promiscuous mode", layer2({ hairpinMode: true, promiscMode: true })),
  status("wrong vlan", layer2({ vlan: 5000 })),
  status("wrong type of a key", layer2({ mtu: "large" })),
  status("every variable set", GATEWAY),
  stepsCase("STATUS: range exhausted", [
    call("ADD", layer2({ ipam: SMALL })),
    call("STATUS", layer2({ ipam: SMALL }), { env: BARE }),
    call("STATUS", layer2({ ipam: { ...SMALL, statusReportsExhaustion: true } }), {
      env: BARE,
      label: "STATUS, strict",
    }),
  ]),
  ...each("STATUS", { ipam: IPV4 }),

  gc("all valid", { [VALID]: [C1, C2] }),
  gc("one stale", { [VALID]: [C1] }),
  gc("all stale", { [VALID]: [] }),
  gc("list absent", {}),
  gc("list null", { [VALID]: null }),
  stepsCase("GC: nothing to do", [call("GC", { ...GATEWAY, [VALID]: [] }, { env: BARE })]),
  stepsCase("GC: layer 2", [
    call("ADD", layer2()),
    call("GC", layer2({ [VALID]: [] }), { env: BARE }),
    call("DEL", layer2(), { after: "ADD" }),
  ]),
  stepsCase("GC: of another network", [
    call("ADD", GATEWAY),
    call("GC", { ...GATEWAY, name: "another", [VALID]: [] }, { env: BARE }),
    call("CHECK", GATEWAY, { after: "ADD" }),
  ]),
  stepsCase("GC: namespace gone", [
    call("ADD", GATEWAY),
    change("delete the namespace", deleteNamespace("c1")),
    call("GC", { ...GATEWAY, [VALID]: [] }, { env: BARE }),
  ]),
  ...each("GC", { ipam: IPV4, [VALID]: [] }),

  ...ALL_PLUGINS.map((plugin) =>
    stepsCase(`VERSION of ${plugin}`, [
      call("VERSION", "", { plugin, label: "nothing on stdin", env: NOTHING }),
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
        env: NOTHING,
      }),
      call("", "nonsense", { plugin, label: "empty command", comparesStderr: true }),
    ]),
  ),
  ...ALL_PLUGINS.map((plugin) =>
    stepsCase(`unknown commands of ${plugin}`, [
      call("FROB", layer2({ ipam: IPV4 }), { plugin, label: "FROB" }),
      call("add", layer2({ ipam: IPV4 }), { plugin, label: "add" }),
      call(" ADD", layer2({ ipam: IPV4 }), { plugin, label: "blank before ADD" }),
      call("FROB", "nonsense", { plugin, label: "FROB with nonsense" }),
      call("FROB", "", { plugin, label: "FROB with nothing" }),
      call("FROB", { cniVersion: "1.1.0" }, { plugin, label: "FROB without a name" }),
      call("FROB", layer2({ cniVersion: "9.0.0" }), { plugin, label: "FROB of an unknown version" }),
      call("FROB", layer2({ ipam: IPV4 }), {
        plugin,
        label: "FROB without variables",
        env: NOTHING,
      }),
    ]),
  ),
];
