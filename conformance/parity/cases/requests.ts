/** What runtimes ask for: hardware addresses, IP addresses, ranges, DNS. */
import { change, life } from "../../engine/case.ts";
import {
  DUAL,
  FILES,
  hostLocal,
  IPV4,
  IPV6,
  type JsonRecord,
  layer2,
  VERSIONS,
} from "../../engine/network.ts";
import { gateway, lives } from "../tables.ts";

const MACS = { runtime: "02:00:5e:00:00:01", args: "02:00:5e:00:00:02", environment: "02:00:5e:00:00:03" };

/** CNI_ARGS that a runtime sends, beside these keys. */
const withArgs = (name: string, CNI_ARGS: string, keys: JsonRecord = { ipam: IPV4 }) =>
  life(name, layer2({ isGateway: true, ...keys }), { env: { CNI_ARGS } });

const RUNTIME = { runtimeConfig: { mac: MACS.runtime } };
const ARGS = { args: { cni: { mac: MACS.args } } };
const MAC = `MAC=${MACS.environment}`;
const MAC_AND_MORE = `IgnoreUnknown=1;${MAC}`;

const REQUESTED = { runtimeConfig: { mac: MACS.runtime, ips: ["10.10.3.9"] } };

/** Addresses that args.cni and runtimeConfig ask for. */
const byArgs = (...ips: readonly string[]) => ({ args: { cni: { ips } } });
const byRuntime = (...ips: readonly string[]) => ({ runtimeConfig: { ips } });

const RESOLV_CONF = `${FILES}/resolv.conf`;

const withResolvConf = (name: string, content: string, keys: JsonRecord = {}) =>
  life(
    `resolvConf: ${name}`,
    layer2({ isGateway: true, ...keys, ipam: { ...IPV4, resolvConf: RESOLV_CONF } }),
    { before: [change("write resolv.conf", `printf '${content}' > ${RESOLV_CONF}`)] },
  );

export const REQUESTS = [
  ...lives({
    "MAC of runtimeConfig": gateway(RUNTIME),
    "MAC of args.cni": gateway(ARGS),
    "MAC of runtimeConfig and args.cni": gateway({ ...RUNTIME, ...ARGS, ipam: DUAL }),
    "MAC empty": gateway({ runtimeConfig: { mac: "" }, args: { cni: { mac: "" } } }),
    "MAC in capitals": gateway({ runtimeConfig: { mac: "02:00:5E:AA:BB:CC" }, ipam: IPV6 }),
    "MAC with dashes": gateway({ runtimeConfig: { mac: "02-00-5e-aa-bb-cc" } }),
    "MAC in three groups": gateway({ runtimeConfig: { mac: "0200.5eaa.bbcc" } }),
  }),
  withArgs("MAC of CNI_ARGS, layer 2", MAC, {}),
  withArgs("MAC of CNI_ARGS", MAC_AND_MORE),
  withArgs("MAC of CNI_ARGS without IgnoreUnknown", MAC),
  withArgs("MAC of all three", MAC_AND_MORE, { ...RUNTIME, ...ARGS, ipam: IPV4 }),
  withArgs("MAC of args.cni and CNI_ARGS", MAC_AND_MORE, { ...ARGS, ipam: IPV4 }),
  withArgs("IP of CNI_ARGS", "IP=10.10.3.7"),
  withArgs("IP of CNI_ARGS with IgnoreUnknown", "IgnoreUnknown=true;IP=10.10.3.7"),
  withArgs("IP of CNI_ARGS, IPv6", "IgnoreUnknown=1;IP=fd00:10::77", { ipam: IPV6 }),
  withArgs("IP of CNI_ARGS with a prefix length", "IgnoreUnknown=1;IP=10.10.3.7/24"),
  withArgs("IP and MAC of CNI_ARGS", `IP=10.10.3.7;${MAC}`),
  withArgs("IP and MAC of CNI_ARGS, IgnoreUnknown", `IgnoreUnknown=1;IP=10.10.3.7;${MAC}`),
  withArgs(
    "Kubernetes' CNI_ARGS",
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=1-2",
  ),
  withArgs("unknown CNI_ARGS", "FOO=bar"),
  withArgs("unknown CNI_ARGS, layer 2", "FOO=bar", {}),
  withArgs("CNI_ARGS without value", "IgnoreUnknown=1;FOO="),
  withArgs("CNI_ARGS without =", "IgnoreUnknown"),
  withArgs("CNI_ARGS with two =", "IgnoreUnknown=1;FOO=a=b"),
  withArgs("CNI_ARGS ending in ;", "IgnoreUnknown=1;"),
  withArgs("CNI_ARGS with IgnoreUnknown=0", "IgnoreUnknown=0;FOO=bar"),
  withArgs("CNI_ARGS with IgnoreUnknown=yes", "IgnoreUnknown=yes"),
  withArgs("CNI_ARGS with another case", "IgnoreUnknown=1;mac=02:00:5e:00:00:09;ip=10.10.3.9"),
  withArgs("CNI_ARGS IP that is none", "IgnoreUnknown=1;IP=10.10.3"),
  withArgs("IP of CNI_ARGS and of args.cni", "IgnoreUnknown=1;IP=10.10.3.7", {
    ...byArgs("10.10.3.8"),
    ipam: IPV4,
  }),
  ...lives({
    "IP of args.cni": gateway(byArgs("10.10.3.8")),
    "IPs of args.cni, both families": gateway({ ...byArgs("10.10.3.8", "fd00:10::88"), ipam: DUAL }),
    "IPs of args.cni in another order": gateway({ ...byArgs("fd00:10::88/64", "10.10.3.8/16"), ipam: DUAL }),
    "IP of runtimeConfig": gateway(byRuntime("10.10.3.9")),
    "IPs of runtimeConfig, with prefix lengths": gateway({
      ...byRuntime("10.10.3.9/16", "fd00:10::99/64"),
      ipam: DUAL,
    }),
    "one IP of runtimeConfig, two families": gateway({ ...byRuntime("fd00:10::99"), ipam: DUAL }),
    "IP of runtimeConfig and of args.cni, the same": gateway({
      ...byRuntime("10.10.3.9"),
      ...byArgs("10.10.3.9"),
    }),
    "IP of runtimeConfig and of args.cni, not the same": gateway({
      ...byRuntime("10.10.3.9"),
      ...byArgs("10.10.3.8"),
    }),
    "IP outside of the subnet": gateway(byRuntime("10.11.0.1")),
    "IP of the gateway": gateway(byRuntime("10.10.0.1")),
    "ipRanges of runtimeConfig": gateway({
      runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }]] },
      ipam: { type: "host-local" },
    }),
    "ipRanges of runtimeConfig before the IPAM's": {
      forceAddress: false,
      isGateway: false,
      runtimeConfig: { ipRanges: [[{ subnet: "10.30.0.0/24" }], [{ subnet: "fd00:30::/64" }]] },
      ipam: IPV4,
    },
    "a MAC and an address of runtimeConfig": gateway(REQUESTED),
    "resolvConf: no such file": gateway({ ipam: { ...IPV4, resolvConf: `${FILES}/nothing` } }),
    "resolvConf: a folder": gateway({ ipam: { ...IPV4, resolvConf: FILES } }),
    "resolvConf: empty name": gateway({ ipam: { ...IPV4, resolvConf: "" } }),
    dataDir: gateway({ ipam: { ...DUAL, dataDir: `${FILES}/leases` } }),
    "dataDir with a slash at its end": gateway({ ipam: { ...IPV4, dataDir: `${FILES}/leases/` } }),
    "three range sets": {
      isGateway: false,
      ipam: hostLocal(["10.10.0.0/24", "10.20.0.0/24", "fd00:10::/64"]),
    },
  }),
  ...VERSIONS.map((cniVersion) =>
    life(`version ${cniVersion}, static MAC and IP`, layer2(gateway({ cniVersion, ...REQUESTED }))),
  ),
  ...lives(
    {
      "all fields": gateway({
        dns: {
          nameservers: ["10.0.0.1", "fd00::1"],
          domain: "example.org",
          search: ["a.org", "b.org"],
          options: ["ndots:3", "rotate"],
        },
      }),
      nameservers: gateway({ dns: { nameservers: ["10.0.0.1"] } }),
      domain: gateway({ dns: { domain: "example.org" } }),
      search: gateway({ dns: { search: ["example.org"] } }),
      options: gateway({ dns: { options: ["rotate"] } }),
      "empty object": gateway({ dns: {} }),
      "empty lists": gateway({ dns: { nameservers: [], search: [], options: [] } }),
      "empty domain": gateway({ dns: { domain: "" } }),
      "layer 2": { isGateway: true, dns: { nameservers: ["10.0.0.1"] } },
      "layer 2, empty": { isGateway: true, dns: {} },
    },
    "dns: ",
  ),
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
];
