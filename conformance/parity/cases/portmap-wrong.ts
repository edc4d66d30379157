/** portmap: configurations that are wrong, and what CHECK finds. */
import { stepsCase } from "../../engine/case.ts";
import { attached, chainedLoss, chainedWrong } from "../chained.ts";
import { BACKENDS, type Backend, ONE, on, ports, TCP } from "../portmap-tables.ts";

const lose = (backend: Backend, name: string, script: string) =>
  chainedLoss(`portmap, CHECK: ${backend}, ${name}`, on, { backend, ...ONE }, script);

/** The chain of the container id-c1 in the network net. */
const OWN_CHAIN = "$(iptables-save -t nat | sed -n 's/^:\\(CNI-DN-[0-9a-f]*\\) .*/\\1/p')";

const LOSSES = [
  ...(
    [
      ["the container's chain is empty", `iptables -t nat -F ${OWN_CHAIN}`],
      ["no entry", "iptables -t nat -F CNI-HOSTPORT-DNAT"],
      ["no jump of PREROUTING", "iptables -t nat -F PREROUTING"],
      ["no jump of OUTPUT", "iptables -t nat -F OUTPUT"],
      ["no jump of POSTROUTING", "iptables -t nat -F POSTROUTING"],
      ["no mark", "iptables -t nat -F CNI-HOSTPORT-SETMARK"],
      ["no masquerade", "iptables -t nat -F CNI-HOSTPORT-MASQ"],
      ["no route_localnet", "echo 0 > /proc/sys/net/ipv4/conf/cni0/route_localnet"],
      ["IPv6 is lost", "ip6tables -t nat -F CNI-HOSTPORT-DNAT"],
    ] as const
  ).map(([name, script]) => lose("iptables", name, script)),
  ...(
    [
      ["no rule of the port", "nft flush chain ip cni_hostport hostports"],
      ["no rule that masquerades", "nft flush chain ip cni_hostport masquerading"],
      ["no entry of prerouting", "nft flush chain ip cni_hostport prerouting"],
      ["no entry of output", "nft flush chain ip cni_hostport output"],
      ["hostports_all is empty", "nft flush chain ip cni_hostport hostports_all"],
      [
        "another address",
        `nft flush chain ip cni_hostport hostports
nft 'add rule ip cni_hostport hostports tcp dport 8080 dnat to 10.10.0.99:80 comment "id-c1"'`,
      ],
      ["IPv6 is lost", "nft flush chain ip6 cni_hostport hostports"],
    ] as const
  ).map(([name, script]) => lose("nftables", name, script)),
];

export const PORTMAP_WRONG = [
  chainedWrong(
    "portmap: what is no mapping",
    on,
    {
      "mappings null": { runtimeConfig: { portMappings: null } },
      "mappings empty": { runtimeConfig: { portMappings: [] } },
      "runtimeConfig null": { runtimeConfig: null },
    },
    ["ADD", "CHECK", "DEL"],
  ),
  chainedWrong(
    "portmap: no prevResult",
    on,
    { mappings: { ...ONE, prevResult: null }, "no mappings": { prevResult: null } },
    ["ADD", "CHECK", "DEL"],
  ),
  ...LOSSES,
  chainedWrong(
    "portmap, wrong: keys",
    on,
    {
      "backend empty": { backend: "", ...ONE },
      "backend unknown": { backend: "ebpf", ...ONE },
      "backend a number": { backend: 5, ...ONE },
      "snat is text": { snat: "true", ...ONE },
      "masqAll a number": { masqAll: 1, ...ONE },
      "markMasqBit below 0": { markMasqBit: -1, ...ONE },
      "markMasqBit 32": { markMasqBit: 32, ...ONE },
      "markMasqBit text": { markMasqBit: "5", ...ONE },
      "markMasqBit and externalSetMarkChain": { markMasqBit: 5, externalSetMarkChain: "X", ...ONE },
      "conditions no list": { conditionsV4: "-s", ...ONE },
      "conditions of numbers": { conditionsV4: [5], ...ONE },
      "conditions of nftables for iptables": {
        backend: "iptables",
        conditionsV4: ["ip", "saddr", "1.1.1.1"],
        ...ONE,
      },
      "conditions of iptables for nftables": { backend: "nftables", conditionsV6: ["-s", "::1"], ...ONE },
      "conditions of both": {
        conditionsV4: ["-s", "1.1.1.1"],
        conditionsV6: ["ip6", "saddr", "::1"],
        ...ONE,
      },
      "externalSetMarkChain for nftables": { backend: "nftables", externalSetMarkChain: "X", ...ONE },
      "runtimeConfig is text": { runtimeConfig: "x" },
      "mappings no list": { runtimeConfig: { portMappings: "x" } },
      "a mapping is text": { runtimeConfig: { portMappings: ["x"] } },
    },
    ["ADD", "CHECK", "DEL"],
  ),
  chainedWrong("portmap, wrong: mappings", on, {
    "hostPort 0": ports({ ...TCP, hostPort: 0 }),
    "hostPort below 0": ports({ ...TCP, hostPort: -1 }),
    "hostPort missing": ports({ containerPort: 80, protocol: "tcp" }),
    "hostPort text": ports({ ...TCP, hostPort: "80" }),
    "containerPort 0": ports({ ...TCP, containerPort: 0 }),
    "containerPort missing": ports({ hostPort: 80, protocol: "tcp" }),
    "protocol a number": ports({ ...TCP, protocol: 6 }),
    "hostIP a number": ports({ ...TCP, hostIP: 6 }),
  }),
  // What the tools refuse where ours does: the reference has made chains by then (M46).
  ...BACKENDS.map((backend) =>
    stepsCase(`portmap, wrong: ${backend}, what the tool refuses`, [
      attached("c1"),
      ...Object.entries({
        "hostPort 70000": { ...TCP, hostPort: 70000 },
        "containerPort 70000": { ...TCP, containerPort: 70000 },
        "protocol icmp": { ...TCP, protocol: "icmp" },
        "hostIP no address": { ...TCP, hostIP: "1.2.3" },
      }).map(([label, mapping]) => on("ADD", { backend, ...ports(mapping) }, { label })),
    ]),
  ),
  chainedWrong("portmap, wrong: prevResult", on, {
    "no result": { ...ONE, prevResult: "x" },
    "an address that is none": { ...ONE, prevResult: { cniVersion: "1.1.0", ips: [{ address: "x" }] } },
  }),
  stepsCase("portmap: externalSetMarkChain that is missing", [
    attached("c1"),
    on("ADD", { externalSetMarkChain: "KUBE-MARK-MASQ", ...ONE }),
    on("DEL", { externalSetMarkChain: "KUBE-MARK-MASQ", ...ONE }),
  ]),
];
