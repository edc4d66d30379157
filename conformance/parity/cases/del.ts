/** DEL of what is whole, in parts, gone, or never was. */
import { type CallStep, call, change, stepsCase } from "../../engine/case.ts";
import {
  DUAL,
  deleteNamespace,
  FILES,
  hostLocal,
  inside,
  type JsonRecord,
  layer2,
  unmountNamespace,
} from "../../engine/network.ts";
import { gateway } from "../tables.ts";

const CONFIG = layer2(gateway({ ipam: DUAL }));

const after = (
  name: string,
  script: string,
  options: CallStep["options"] = {},
  config: JsonRecord = CONFIG,
) =>
  stepsCase(`DEL: ${name}`, [
    call("ADD", config),
    change("meanwhile", script),
    call("DEL", config, { after: "ADD", ...options }),
    call("DEL", config, { after: "ADD", ...options, label: "DEL again" }),
  ]);

const never = (
  name: string,
  script: string,
  options: CallStep["options"] = {},
  config: JsonRecord = CONFIG,
) => stepsCase(`DEL without ADD: ${name}`, [change("before", script), call("DEL", config, options)]);

/** ADD with the one configuration, DEL with the other. */
const changed = (name: string, before: JsonRecord, after: JsonRecord) =>
  stepsCase(name, [call("ADD", before), call("DEL", after, { after: "ADD" })]);

const FOUR = layer2(gateway());
const ranges = (ipam: JsonRecord) => layer2(gateway({ ipam }));

/** Words for each of the host's ends, $l. */
const onEnds = (command: string) => `for l in $(ls /proc/sys/net/ipv4/conf | grep veth); do ${command}; done`;

const netns = (CNI_NETNS: string | undefined): CallStep["options"] => ({ env: { CNI_NETNS } });

export const DEL = [
  after("no prevResult", ":", { after: "nothing" }),
  after("CNI_NETNS unset", ":", netns(undefined)),
  after("CNI_NETNS empty", ":", netns("")),
  after("namespace deleted", deleteNamespace("c1")),
  after("namespace's path is a plain file", unmountNamespace("c1")),
  after("namespace's path is a folder", `${unmountNamespace("c1")}; rm /run/netns/c1; mkdir /run/netns/c1`),
  after("path never existed", ":", netns("/run/netns/never")),
  after("path below a file", ":", netns("/run/netns/c1/x")),
  after("path of a dead process", ":", netns("/proc/999999/ns/net")),
  after("path of another kind of namespace", ":", netns("/proc/self/ns/mnt")),
  after("namespace deleted, layer 2", deleteNamespace("c1"), {}, layer2()),
  after("CNI_NETNS unset, layer 2", ":", netns(undefined), layer2()),
  after("interface deleted", inside("c1", "ip link del eth0")),
  after(
    "interface deleted, another kind has its name",
    inside("c1", "ip link del eth0; ip link add eth0 type bridge"),
  ),
  after("interface renamed", inside("c1", "ip link set eth0 down; ip link set eth0 name eth7")),
  after("interface down", inside("c1", "ip link set eth0 down")),
  after("host end down", onEnds("ip link set $l down")),
  after("host end off the bridge", onEnds("ip link set $l nomaster")),
  after("bridge deleted", "ip link del cni0"),
  after("lease deleted", "rm /var/lib/cni/networks/net/10.10.0.2"),
  after("leases deleted", "rm -r /var/lib/cni/networks"),
  after("a lease of another", "printf 'another\\r\\neth0' > /var/lib/cni/networks/net/10.10.0.2"),
  after("a lease in the old format", "printf 'id-c1' > /var/lib/cni/networks/net/10.10.0.2"),
  after("ipam that does not exist", ":", {}, layer2({ isGateway: true, ipam: { type: "no-such-ipam" } })),
  after("prevResult without interfaces", ":", {
    edit: (result) => {
      delete result.interfaces;
    },
  }),
  after("prevResult that is none", ":", {
    edit: (result) => {
      result.ips = [{ address: "nonsense" }];
    },
  }),
  never("namespace there", ":"),
  never("namespace there, layer 2", ":", {}, layer2()),
  never("namespace deleted", deleteNamespace("c1")),
  never("CNI_NETNS unset", ":", netns(undefined)),
  never("bridge there", "ip link add cni0 type bridge; ip link set cni0 up"),
  never("plain file", `echo > ${FILES}/plain`, netns(`${FILES}/plain`)),
  never("plain file, layer 2", `echo > ${FILES}/plain`, netns(`${FILES}/plain`), layer2()),
  never("own namespace", ":", netns("/run/netns/host")),
  never("own namespace, permitted", ":", { env: { CNI_NETNS: "/run/netns/host", CNI_NETNS_OVERRIDE: "1" } }),
  changed("DEL with a configuration that changed", CONFIG, layer2({ bridge: "cni9", mtu: 1300, ipam: DUAL })),
  changed("DEL with other ranges than ADD", FOUR, ranges(hostLocal(["10.20.0.0/16"]))),
  changed("DEL with wrong ranges", FOUR, ranges(hostLocal(["10.10.0.0/32"]))),
  changed("DEL without ranges", FOUR, ranges({ type: "host-local" })),
  changed("DEL in another version", CONFIG, { ...CONFIG, cniVersion: "0.4.0" }),
  stepsCase("DEL without the ipam that ADD had", [
    call("ADD", CONFIG),
    call("DEL", layer2({ isGateway: true }), { after: "ADD" }),
    call("DEL", CONFIG, { after: "ADD", label: "DEL with ipam" }),
  ]),
];
