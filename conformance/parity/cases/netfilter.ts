/** Masquerade and anti-spoofing rules. */
import {
  bridgeConfig,
  call,
  change,
  DUAL,
  deleteNamespace,
  hostLocal,
  IPV4,
  IPV6,
  inside,
  type JsonRecord,
  life,
  parityCase,
  ranges,
} from "../case.ts";

const FAMILIES = { IPv4: IPV4, IPv6: IPV6, "dual-stack": DUAL };
const BACKENDS = {
  "default backend": {},
  iptables: { ipMasqBackend: "iptables" },
  nftables: { ipMasqBackend: "nftables" },
};

const one = (name: string, keys: JsonRecord) => life(name, bridgeConfig(keys));
const FOREIGN = `iptables -t nat -N CNI-other; iptables -t nat -A CNI-other -j RETURN
iptables -t nat -A POSTROUTING -s 192.0.2.7 -j CNI-other; iptables -P FORWARD DROP
iptables -A FORWARD -i other0 -m comment --comment "somebody else's" -j ACCEPT
nft add table inet firewall; nft 'add chain inet firewall input { type filter hook input priority 0; }'
nft add rule inet firewall input tcp dport 22 accept
nft add table bridge nat; nft 'add chain bridge nat mine'; nft add rule bridge nat mine accept`;

/** One container after the other, and what each leaves. */
const several = (name: string, keys: JsonRecord) => {
  const config = bridgeConfig({ isGateway: true, ipMasq: true, ...keys, ipam: DUAL });
  const second = { container: "c2" };
  const another = { ifname: "eth1" };
  return parityCase(
    `masquerade of three attachments, ${name}`,
    [
      call("ADD", config, { label: "ADD c1" }),
      call("ADD", config, { ...second, label: "ADD c2" }),
      call("ADD", config, { ...another, label: "ADD c1 eth1" }),
      call("CHECK", config, { label: "CHECK c1", resultOf: "ADD c1" }),
      call("CHECK", config, { ...second, label: "CHECK c2", resultOf: "ADD c2" }),
      call("DEL", config, { label: "DEL c1", resultOf: "ADD c1" }),
      call("CHECK", config, { ...another, label: "CHECK c1 eth1", resultOf: "ADD c1 eth1" }),
      call("DEL", config, { ...second, label: "DEL c2", resultOf: "ADD c2" }),
      call("DEL", config, { ...another, label: "DEL c1 eth1", resultOf: "ADD c1 eth1" }),
    ],
    { containers: ["c1", "c2"] },
  );
};

const gone = (
  name: string,
  keys: JsonRecord,
  script: string,
  options: { env?: Record<string, string | undefined> } = {},
) => {
  const config = bridgeConfig({ isGateway: true, ...keys, ipam: IPV4 });
  return parityCase(name, [
    call("ADD", config),
    change("lose it", script),
    call("DEL", config, { ...options, resultOf: "ADD" }),
    call("DEL", config, { ...options, resultOf: "ADD", label: "DEL again" }),
  ]);
};

export const NETFILTER = [
  ...Object.entries(BACKENDS).flatMap(([backend, key]) => [
    ...Object.entries(FAMILIES).map(([family, ipam]) =>
      one(`ipMasq, ${backend}, ${family}`, { isGateway: true, ipMasq: true, ...key, ipam }),
    ),
    one(`ipMasq, ${backend}, no gateway`, { ipMasq: true, ...key, ipam: IPV4 }),
    one(`ipMasq, ${backend}, two addresses of a family`, {
      ipMasq: true,
      ...key,
      ipam: hostLocal(ranges("10.10.0.0/16", "10.20.0.0/24")),
    }),
    one(`ipMasq, ${backend}, isDefaultGateway and macspoofchk`, {
      isDefaultGateway: true,
      ipMasq: true,
      macspoofchk: true,
      ...key,
      ipam: DUAL,
    }),
    several(backend, key),
    gone(`ipMasq, ${backend}: DEL without CNI_NETNS`, { ipMasq: true, ...key }, ":", {
      env: { CNI_NETNS: undefined },
    }),
    gone(`ipMasq, ${backend}: DEL after the namespace went`, { ipMasq: true, ...key }, deleteNamespace("c1")),
    gone(
      `ipMasq, ${backend}: DEL after the interface went`,
      { ipMasq: true, ...key },
      inside("c1", "ip link del eth0"),
    ),
    gone(`ipMasq, ${backend}: DEL after the rules went`, { ipMasq: true, ...key }, "nft flush ruleset"),
    life(
      `ipMasq, ${backend}: rules of others`,
      bridgeConfig({ isGateway: true, ipMasq: true, ...key, ipam: DUAL }),
      {
        before: [change("rules of others", FOREIGN)],
      },
    ),
    life(
      `ipMasq, ${backend}: long names`,
      bridgeConfig({ name: `n${"o".repeat(70)}`, isGateway: true, ipMasq: true, ...key, ipam: IPV4 }),
      { id: `c${"i".repeat(70)}`, ifname: "abcdefghijklmno" },
    ),
  ]),
  life(
    "ipMasqBackend without ipMasq",
    bridgeConfig({ isGateway: true, ipMasqBackend: "nftables", ipam: IPV4 }),
  ),
  parityCase("ipMasqBackend changed between ADD and DEL", [
    call("ADD", bridgeConfig({ isGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam: IPV4 })),
    call("DEL", bridgeConfig({ isGateway: true, ipMasq: true, ipMasqBackend: "iptables", ipam: IPV4 }), {
      resultOf: "ADD",
    }),
  ]),
  parityCase("ipMasq taken out between ADD and DEL", [
    call("ADD", bridgeConfig({ isGateway: true, ipMasq: true, ipam: IPV4 })),
    call("DEL", bridgeConfig({ isGateway: true, ipam: IPV4 }), { resultOf: "ADD" }),
  ]),
  one("macspoofchk, IPv4", { isGateway: true, macspoofchk: true, ipam: IPV4 }),
  one("macspoofchk, layer 2", { macspoofchk: true }),
  one("macspoofchk, static MAC", {
    macspoofchk: true,
    runtimeConfig: { mac: "02:00:5e:00:00:01" },
    ipam: IPV6,
  }),
  one("macspoofchk, disableContainerInterface", { macspoofchk: true, disableContainerInterface: true }),
  life("macspoofchk: rules of others", bridgeConfig({ macspoofchk: true, ipam: IPV4 }), {
    before: [change("rules of others", FOREIGN)],
  }),
  parityCase(
    "macspoofchk of two containers",
    [
      call("ADD", bridgeConfig({ macspoofchk: true, ipam: IPV4 }), { label: "ADD c1" }),
      call("ADD", bridgeConfig({ macspoofchk: true, ipam: IPV4 }), { label: "ADD c2", container: "c2" }),
      call("DEL", bridgeConfig({ macspoofchk: true, ipam: IPV4 }), { label: "DEL c1", resultOf: "ADD c1" }),
      call("DEL", bridgeConfig({ macspoofchk: true, ipam: IPV4 }), {
        label: "DEL c2",
        container: "c2",
        resultOf: "ADD c2",
      }),
    ],
    { containers: ["c1", "c2"] },
  ),
  gone("macspoofchk: DEL without CNI_NETNS", { macspoofchk: true }, ":", { env: { CNI_NETNS: undefined } }),
  gone("macspoofchk: DEL after the namespace went", { macspoofchk: true }, deleteNamespace("c1")),
  gone("macspoofchk: DEL after the interface went", { macspoofchk: true }, inside("c1", "ip link del eth0")),
  gone("macspoofchk: DEL after the rules went", { macspoofchk: true }, "nft flush ruleset"),
];
