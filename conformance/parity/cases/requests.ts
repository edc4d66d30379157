/** What runtimes ask for: hardware addresses, IP addresses, ranges, DNS. */
import {
  bridgeConfig,
  type CallOptions,
  change,
  DUAL,
  FILES,
  hostLocal,
  IPV4,
  IPV6,
  type JsonRecord,
  life,
  ranges,
  VERSIONS,
} from "../case.ts";

const MACS = { runtime: "02:00:5e:00:00:01", args: "02:00:5e:00:00:02", environment: "02:00:5e:00:00:03" };

const with_ = (name: string, keys: JsonRecord, CNI_ARGS?: string, options: CallOptions = {}) =>
  life(name, bridgeConfig({ isGateway: true, ...keys }), {
    ...options,
    ...(CNI_ARGS === undefined ? {} : { env: { CNI_ARGS } }),
  });

const RUNTIME = { runtimeConfig: { mac: MACS.runtime } };
const ARGS = { args: { cni: { mac: MACS.args } } };

const RESOLV_CONF = `${FILES}/resolv.conf`;
const writeResolvConf = (content: string) =>
  change("write resolv.conf", `printf '${content}' > ${RESOLV_CONF}`);

const withResolvConf = (name: string, content: string, keys: JsonRecord = {}) =>
  life(
    `resolvConf: ${name}`,
    bridgeConfig({ isGateway: true, ...keys, ipam: { ...IPV4, resolvConf: RESOLV_CONF } }),
    {
      before: [writeResolvConf(content)],
    },
  );

const withDns = (name: string, dns: JsonRecord, keys: JsonRecord = { ipam: IPV4 }) =>
  with_(`dns: ${name}`, { dns, ...keys });

export const REQUESTS = [
  with_("MAC of runtimeConfig", { ...RUNTIME, ipam: IPV4 }),
  with_("MAC of args.cni", { ...ARGS, ipam: IPV4 }),
  with_("MAC of CNI_ARGS, layer 2", {}, `MAC=${MACS.environment}`),
  with_("MAC of CNI_ARGS", { ipam: IPV4 }, `IgnoreUnknown=1;MAC=${MACS.environment}`),
  with_("MAC of CNI_ARGS without IgnoreUnknown", { ipam: IPV4 }, `MAC=${MACS.environment}`),
  with_("MAC of runtimeConfig and args.cni", { ...RUNTIME, ...ARGS, ipam: DUAL }),
  with_("MAC of all three", { ...RUNTIME, ...ARGS, ipam: IPV4 }, `IgnoreUnknown=1;MAC=${MACS.environment}`),
  with_("MAC of args.cni and CNI_ARGS", { ...ARGS, ipam: IPV4 }, `IgnoreUnknown=1;MAC=${MACS.environment}`),
  with_("MAC empty", { runtimeConfig: { mac: "" }, args: { cni: { mac: "" } }, ipam: IPV4 }),
  with_("MAC in capitals", { runtimeConfig: { mac: "02:00:5E:AA:BB:CC" }, ipam: IPV6 }),
  with_("MAC with dashes", { runtimeConfig: { mac: "02-00-5e-aa-bb-cc" }, ipam: IPV4 }),
  with_("MAC in three groups", { runtimeConfig: { mac: "0200.5eaa.bbcc" }, ipam: IPV4 }),

  with_("IP of CNI_ARGS", { ipam: IPV4 }, "IP=10.10.3.7"),
  with_("IP of CNI_ARGS with IgnoreUnknown", { ipam: IPV4 }, "IgnoreUnknown=true;IP=10.10.3.7"),
  with_("IP of CNI_ARGS, IPv6", { ipam: IPV6 }, "IgnoreUnknown=1;IP=fd00:10::77"),
  with_("IP of CNI_ARGS with a prefix length", { ipam: IPV4 }, "IgnoreUnknown=1;IP=10.10.3.7/24"),
  with_("IP and MAC of CNI_ARGS", { ipam: IPV4 }, `IP=10.10.3.7;MAC=${MACS.environment}`),
  with_(
    "IP and MAC of CNI_ARGS, IgnoreUnknown",
    { ipam: IPV4 },
    `IgnoreUnknown=1;IP=10.10.3.7;MAC=${MACS.environment}`,
  ),
  with_(
    "Kubernetes' CNI_ARGS",
    { ipam: IPV4 },
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=1-2",
  ),
  with_("unknown CNI_ARGS", { ipam: IPV4 }, "FOO=bar"),
  with_("unknown CNI_ARGS, layer 2", {}, "FOO=bar"),
  with_("CNI_ARGS without value", { ipam: IPV4 }, "IgnoreUnknown=1;FOO="),
  with_("CNI_ARGS without =", { ipam: IPV4 }, "IgnoreUnknown"),
  with_("CNI_ARGS with two =", { ipam: IPV4 }, "IgnoreUnknown=1;FOO=a=b"),
  with_("CNI_ARGS ending in ;", { ipam: IPV4 }, "IgnoreUnknown=1;"),
  with_("CNI_ARGS with IgnoreUnknown=0", { ipam: IPV4 }, "IgnoreUnknown=0;FOO=bar"),
  with_("CNI_ARGS with IgnoreUnknown=yes", { ipam: IPV4 }, "IgnoreUnknown=yes"),
  with_("CNI_ARGS with another case", { ipam: IPV4 }, "IgnoreUnknown=1;mac=02:00:5e:00:00:09;ip=10.10.3.9"),
  with_("CNI_ARGS IP that is none", { ipam: IPV4 }, "IgnoreUnknown=1;IP=10.10.3"),

  with_("IP of args.cni", { args: { cni: { ips: ["10.10.3.8"] } }, ipam: IPV4 }),
  with_("IPs of args.cni, both families", {
    args: { cni: { ips: ["10.10.3.8", "fd00:10::88"] } },
    ipam: DUAL,
  }),
  with_("IPs of args.cni in another order", {
    args: { cni: { ips: ["fd00:10::88/64", "10.10.3.8/16"] } },
    ipam: DUAL,
  }),
  with_("IP of runtimeConfig", { runtimeConfig: { ips: ["10.10.3.9"] }, ipam: IPV4 }),
  with_("IPs of runtimeConfig, with prefix lengths", {
    runtimeConfig: { ips: ["10.10.3.9/16", "fd00:10::99/64"] },
    ipam: DUAL,
  }),
  with_("one IP of runtimeConfig, two families", { runtimeConfig: { ips: ["fd00:10::99"] }, ipam: DUAL }),
  with_("IP of runtimeConfig and of args.cni, the same", {
    runtimeConfig: { ips: ["10.10.3.9"] },
    args: { cni: { ips: ["10.10.3.9"] } },
    ipam: IPV4,
  }),
  with_("IP of runtimeConfig and of args.cni, not the same", {
    runtimeConfig: { ips: ["10.10.3.9"] },
    args: { cni: { ips: ["10.10.3.8"] } },
    ipam: IPV4,
  }),
  with_(
    "IP of CNI_ARGS and of args.cni",
    { args: { cni: { ips: ["10.10.3.8"] } }, ipam: IPV4 },
    "IgnoreUnknown=1;IP=10.10.3.7",
  ),
  with_("IP outside of the subnet", { runtimeConfig: { ips: ["10.11.0.1"] }, ipam: IPV4 }),
  with_("IP of the gateway", { runtimeConfig: { ips: ["10.10.0.1"] }, ipam: IPV4 }),
  with_("ipRanges of runtimeConfig", {
    runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }]] },
    ipam: hostLocal({}),
  }),
  with_("ipRanges of runtimeConfig before the IPAM's", {
    forceAddress: false,
    isGateway: false,
    runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }], [{ subnet: "fd00:30::/64" }]] },
    ipam: IPV4,
  }),
  with_("a MAC and an address of runtimeConfig", {
    runtimeConfig: { mac: MACS.runtime, ips: ["10.10.3.9"] },
    ipam: IPV4,
  }),
  ...VERSIONS.map((cniVersion) =>
    with_(`version ${cniVersion}, static MAC and IP`, {
      cniVersion,
      runtimeConfig: { mac: MACS.runtime, ips: ["10.10.3.9"] },
      ipam: IPV4,
    }),
  ),

  withDns("all fields", {
    nameservers: ["10.0.0.1", "fd00::1"],
    domain: "example.org",
    search: ["a.org", "b.org"],
    options: ["ndots:3", "rotate"],
  }),
  withDns("nameservers", { nameservers: ["10.0.0.1"] }),
  withDns("domain", { domain: "example.org" }),
  withDns("search", { search: ["example.org"] }),
  withDns("options", { options: ["rotate"] }),
  withDns("empty object", {}),
  withDns("empty lists", { nameservers: [], search: [], options: [] }),
  withDns("empty domain", { domain: "" }),
  withDns("layer 2", { nameservers: ["10.0.0.1"] }, {}),
  withDns("layer 2, empty", {}, {}),
  withResolvConf(
    "all kinds of lines",
    "# comment\\n; another\\nnameserver 10.0.0.1\\nnameserver fd00::1\\ndomain first.org\\ndomain last.org\\nsearch a.org b.org\\nsearch c.org\\noptions ndots:2 rotate\\noptions timeout:1\\nsortlist 10.0.0.0\\n",
  ),
  withResolvConf("empty", ""),
  withResolvConf("white space", "  nameserver   10.0.0.2  \\n\\tsearch\\ta.org\\t b.org\\n\\n"),
  withResolvConf("keywords without value", "nameserver\\ndomain\\nsearch\\noptions\\n"),
  withResolvConf("no final newline", "nameserver 10.0.0.3"),
  withResolvConf("overridden by dns", "nameserver 10.0.0.1\\nsearch a.org\\n", {
    dns: { domain: "example.org" },
  }),
  withResolvConf("not overridden by an empty dns", "nameserver 10.0.0.1\\nsearch a.org\\n", { dns: {} }),
  with_("resolvConf: no such file", { ipam: { ...IPV4, resolvConf: `${FILES}/nothing` } }),
  with_("resolvConf: a folder", { ipam: { ...IPV4, resolvConf: FILES } }),
  with_("resolvConf: empty name", { ipam: { ...IPV4, resolvConf: "" } }),
  with_("dataDir", { ipam: { ...DUAL, dataDir: `${FILES}/leases` } }),
  with_("dataDir with a slash at its end", { ipam: { ...IPV4, dataDir: `${FILES}/leases/` } }),
  with_("three range sets", {
    isGateway: false,
    ipam: hostLocal(ranges("10.10.0.0/24", "10.20.0.0/24", "fd00:10::/64")),
  }),
];
