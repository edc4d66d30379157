/** DEL of what is whole, in parts, gone, or never was. */
import {
  bridgeConfig,
  type CallOptions,
  call,
  change,
  DUAL,
  deleteNamespace,
  FILES,
  IPV4,
  inside,
  type JsonRecord,
  parityCase,
  unmountNamespace,
} from "../case.ts";

const CONFIG = bridgeConfig({ isGateway: true, ipam: DUAL });

const after = (name: string, script: string, options: CallOptions = {}, config: JsonRecord = CONFIG) =>
  parityCase(`DEL: ${name}`, [
    call("ADD", config),
    change("meanwhile", script),
    call("DEL", config, { resultOf: "ADD", ...options }),
    call("DEL", config, { resultOf: "ADD", ...options, label: "DEL again" }),
  ]);

const never = (name: string, script: string, options: CallOptions = {}, config: JsonRecord = CONFIG) =>
  parityCase(`DEL without ADD: ${name}`, [change("before", script), call("DEL", config, options)]);

const netns = (CNI_NETNS: string | undefined): CallOptions => ({ env: { CNI_NETNS } });

export const DEL = [
  after("no prevResult", ":", { resultOf: "nothing" }),
  after("CNI_NETNS unset", ":", netns(undefined)),
  after("CNI_NETNS empty", ":", netns("")),
  after("namespace deleted", deleteNamespace("c1")),
  after("namespace's path is a plain file", unmountNamespace("c1")),
  after("namespace's path is a folder", `${unmountNamespace("c1")}; rm /run/netns/c1; mkdir /run/netns/c1`),
  after("path never existed", ":", netns("/run/netns/never")),
  after("path below a file", ":", netns("/run/netns/c1/x")),
  after("path of a dead process", ":", netns("/proc/999999/ns/net")),
  after("path of another kind of namespace", ":", netns("/proc/self/ns/mnt")),
  after("namespace deleted, layer 2", deleteNamespace("c1"), {}, bridgeConfig()),
  after("CNI_NETNS unset, layer 2", ":", netns(undefined), bridgeConfig()),
  after("interface deleted", inside("c1", "ip link del eth0")),
  after(
    "interface deleted, another kind has its name",
    inside("c1", "ip link del eth0; ip link add eth0 type bridge"),
  ),
  after("interface renamed", inside("c1", "ip link set eth0 down; ip link set eth0 name eth7")),
  after("interface down", inside("c1", "ip link set eth0 down")),
  after("host end down", "for l in $(ls /proc/sys/net/ipv4/conf | grep veth); do ip link set $l down; done"),
  after(
    "host end off the bridge",
    "for l in $(ls /proc/sys/net/ipv4/conf | grep veth); do ip link set $l nomaster; done",
  ),
  after("bridge deleted", "ip link del cni0"),
  after("lease deleted", "rm /var/lib/cni/networks/parity/10.10.0.2"),
  after("leases deleted", "rm -r /var/lib/cni/networks"),
  after("a lease of another", "printf 'another\\r\\neth0' > /var/lib/cni/networks/parity/10.10.0.2"),
  after("a lease in the old format", "printf 'id-c1' > /var/lib/cni/networks/parity/10.10.0.2"),
  after(
    "ipam that does not exist",
    ":",
    {},
    bridgeConfig({ isGateway: true, ipam: { type: "no-such-ipam" } }),
  ),
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
  never("namespace there, layer 2", ":", {}, bridgeConfig()),
  never("namespace deleted", deleteNamespace("c1")),
  never("CNI_NETNS unset", ":", netns(undefined)),
  never("bridge there", "ip link add cni0 type bridge; ip link set cni0 up"),
  never("plain file", `echo > ${FILES}/plain`, netns(`${FILES}/plain`)),
  never("plain file, layer 2", `echo > ${FILES}/plain`, netns(`${FILES}/plain`), bridgeConfig()),
  never("own namespace", ":", netns("/run/netns/host")),
  never("own namespace, permitted", ":", { env: { CNI_NETNS: "/run/netns/host", CNI_NETNS_OVERRIDE: "1" } }),
  parityCase("DEL with a configuration that changed", [
    call("ADD", CONFIG),
    call("DEL", bridgeConfig({ bridge: "cni9", mtu: 1300, ipam: DUAL }), { resultOf: "ADD" }),
  ]),
  parityCase("DEL without the ipam that ADD had", [
    call("ADD", CONFIG),
    call("DEL", bridgeConfig({ isGateway: true }), { resultOf: "ADD" }),
    call("DEL", CONFIG, { resultOf: "ADD", label: "DEL with ipam" }),
  ]),
  parityCase("DEL with other ranges than ADD", [
    call("ADD", bridgeConfig({ isGateway: true, ipam: IPV4 })),
    call(
      "DEL",
      bridgeConfig({ isGateway: true, ipam: { type: "host-local", ranges: [[{ subnet: "10.20.0.0/16" }]] } }),
      { resultOf: "ADD" },
    ),
  ]),
  parityCase("DEL with wrong ranges", [
    call("ADD", bridgeConfig({ isGateway: true, ipam: IPV4 })),
    call(
      "DEL",
      bridgeConfig({ isGateway: true, ipam: { type: "host-local", ranges: [[{ subnet: "10.10.0.0/32" }]] } }),
      { resultOf: "ADD" },
    ),
  ]),
  parityCase("DEL without ranges", [
    call("ADD", bridgeConfig({ isGateway: true, ipam: IPV4 })),
    call("DEL", bridgeConfig({ isGateway: true, ipam: { type: "host-local" } }), { resultOf: "ADD" }),
  ]),
  parityCase("DEL in another version", [
    call("ADD", CONFIG),
    call("DEL", { ...CONFIG, cniVersion: "0.4.0" }, { resultOf: "ADD" }),
  ]),
];
