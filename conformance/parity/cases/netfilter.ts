/** Masquerade and anti-spoofing rules. */
import { type CallStep, call, change, life, stepsCase } from "../../engine/case.ts";
import {
  DUAL,
  deleteNamespace,
  hostLocal,
  IPV4,
  IPV6,
  inside,
  type JsonRecord,
  layer2,
} from "../../engine/network.ts";
import { FAMILIES, gateway, inTurn, lives } from "../tables.ts";

const BACKENDS: Readonly<Record<string, JsonRecord>> = {
  "default backend": {},
  iptables: { ipMasqBackend: "iptables" },
  nftables: { ipMasqBackend: "nftables" },
};

const FOREIGN = `iptables -t nat -N CNI-other; iptables -t nat -A CNI-other -j RETURN
iptables -t nat -A POSTROUTING -s 192.0.2.7 -j CNI-other; iptables -P FORWARD DROP
iptables -A FORWARD -i other0 -m comment --comment "somebody else's" -j ACCEPT
nft add table inet firewall; nft 'add chain inet firewall input { type filter hook input priority 0; }'
nft add rule inet firewall input tcp dport 22 accept
nft add table bridge nat; nft 'add chain bridge nat mine'; nft add rule bridge nat mine accept`;

const besides = (name: string, keys: JsonRecord) =>
  life(`${name}: rules of others`, layer2(keys), { before: [change("rules of others", FOREIGN)] });

/** One container after the other, and what each leaves. */
const several = (name: string, keys: JsonRecord) => {
  const config = layer2(gateway({ ipMasq: true, ...keys, ipam: DUAL }));
  const eth1 = (command: string) =>
    call(command, config, {
      ifname: "eth1",
      label: `${command} c1 eth1`,
      ...(command !== "ADD" && { after: "ADD c1 eth1" }),
    });
  return stepsCase(
    `masquerade of three attachments, ${name}`,
    [
      ...inTurn("ADD", config, "c1", "c2"),
      eth1("ADD"),
      ...inTurn("CHECK", config, "c1", "c2"),
      ...inTurn("DEL", config, "c1"),
      eth1("CHECK"),
      ...inTurn("DEL", config, "c2"),
      eth1("DEL"),
    ],
    { containers: ["c1", "c2"] },
  );
};

const gone = (name: string, keys: JsonRecord, script: string, options: CallStep["options"] = {}) => {
  const config = layer2(gateway(keys));
  return stepsCase(name, [
    call("ADD", config),
    change("lose it", script),
    call("DEL", config, { ...options, after: "ADD" }),
    call("DEL", config, { ...options, after: "ADD", label: "DEL again" }),
  ]);
};

const losses = (name: string, keys: JsonRecord) => [
  gone(`${name}: DEL without CNI_NETNS`, keys, ":", { env: { CNI_NETNS: undefined } }),
  gone(`${name}: DEL after the namespace went`, keys, deleteNamespace("c1")),
  gone(`${name}: DEL after the interface went`, keys, inside("c1", "ip link del eth0")),
  gone(`${name}: DEL after the rules went`, keys, "nft flush ruleset"),
];

/** ADD with the one configuration, DEL with the other. */
const changed = (name: string, before: JsonRecord, after: JsonRecord) =>
  stepsCase(name, [
    call("ADD", layer2(gateway(before))),
    call("DEL", layer2(gateway(after)), { after: "ADD" }),
  ]);

const SPOOF = layer2({ macspoofchk: true, ipam: IPV4 });

export const NETFILTER = [
  ...Object.entries(BACKENDS).flatMap(([backend, key]) => [
    ...lives(
      {
        ...Object.fromEntries(
          Object.entries(FAMILIES).map(([family, ipam]) => [
            family,
            { isGateway: true, ipMasq: true, ...key, ipam },
          ]),
        ),
        "no gateway": { ipMasq: true, ...key, ipam: IPV4 },
        "two addresses of a family": {
          ipMasq: true,
          ...key,
          ipam: hostLocal(["10.10.0.0/16", "10.20.0.0/24"]),
        },
        "isDefaultGateway and macspoofchk": {
          isDefaultGateway: true,
          ipMasq: true,
          macspoofchk: true,
          ...key,
          ipam: DUAL,
        },
      },
      `ipMasq, ${backend}, `,
    ),
    several(backend, key),
    ...losses(`ipMasq, ${backend}`, { ipMasq: true, ...key }),
    besides(`ipMasq, ${backend}`, gateway({ ipMasq: true, ...key, ipam: DUAL })),
    life(
      `ipMasq, ${backend}: long names`,
      layer2(gateway({ name: `n${"o".repeat(70)}`, ipMasq: true, ...key })),
      { id: `c${"i".repeat(70)}`, ifname: "abcdefghijklmno" },
    ),
  ]),
  changed(
    "ipMasqBackend changed between ADD and DEL",
    { ipMasq: true, ipMasqBackend: "nftables" },
    { ipMasq: true, ipMasqBackend: "iptables" },
  ),
  changed("ipMasq taken out between ADD and DEL", { ipMasq: true }, {}),
  ...lives({
    "ipMasqBackend without ipMasq": gateway({ ipMasqBackend: "nftables" }),
    "macspoofchk, IPv4": gateway({ macspoofchk: true }),
    "macspoofchk, layer 2": { macspoofchk: true },
    "macspoofchk, static MAC": {
      macspoofchk: true,
      runtimeConfig: { mac: "02:00:5e:00:00:01" },
      ipam: IPV6,
    },
    "macspoofchk, disableContainerInterface": { macspoofchk: true, disableContainerInterface: true },
  }),
  besides("macspoofchk", { macspoofchk: true, ipam: IPV4 }),
  stepsCase(
    "macspoofchk of two containers",
    ["ADD", "DEL"].flatMap((command) => inTurn(command, SPOOF, "c1", "c2")),
    { containers: ["c1", "c2"] },
  ),
  ...losses("macspoofchk", { macspoofchk: true }),
];
