/** What doctor looks at of the kernel: features that the networks need, and whether bridged packets pass rules. */
import { FAMILIES, type Family } from "../../net/ip.ts";
import { openNftables } from "../../netfilter/kernel.ts";
import { decodeChain, dumpChains } from "../../netlink/nftables/chain.ts";
import { get } from "../../schema/parse.ts";
import { unlessFailed } from "../../sys/errno.ts";
import { exists, inodeAndChange, readText } from "../../sys/file.ts";
import { sysctlIfThere } from "../../sys/sysctl.ts";
import type { HostState } from "../attachments.ts";
import { typeOf } from "../networks.ts";
import type { Found } from "./diagnosis.ts";

/** Modules, and whether the networks need them. The reference's plugin bandwidth shapes with tbf, incoming traffic on an ifb. */
const MODULES: readonly (readonly [name: string, isNeeded: (plugins: readonly Needs[]) => boolean])[] = [
  ["bridge", () => true],
  ["veth", () => true],
  ["ifb", (plugins) => plugins.some(({ type }) => type === "bandwidth")],
  ["sch_tbf", (plugins) => plugins.some(({ type }) => type === "bandwidth")],
  // The gateway of a VLAN is an interface of that kind.
  ["8021q", (plugins) => plugins.some(({ isVlan, isGateway }) => isVlan && isGateway)],
];

/** What a plugin's configuration says about features. */
interface Needs {
  readonly type: string;
  readonly isVlan: boolean;
  readonly isGateway: boolean;
}

function needsOf({ networks }: Pick<HostState, "networks">): Needs[] {
  return networks.networks.flatMap(({ plugins }) =>
    plugins.map((plugin) => ({
      type: typeOf(plugin),
      isVlan:
        typeOf(plugin) === "bridge" &&
        (Boolean(get(plugin, "vlan")) || get(plugin, "vlanTrunk") !== undefined),
      isGateway: get(plugin, "isGateway") === true || get(plugin, "isDefaultGateway") === true,
    })),
  );
}

/**
 * A kernel without its list of modules does not tell what it can load: then only nf_tables is looked at, and VLAN filtering if a
 * bridge exists, since each has the setting where the kernel was built with it.
 */
export function missingFeatures(
  host: Pick<HostState, "networks" | "links">,
  modules = "/lib/modules",
  classes = "/sys/class/net",
): Found[] {
  const release = readText("/proc/sys/kernel/osrelease").trim();
  const lists = ["modules.builtin", "modules.dep"].flatMap(
    (name) => unlessFailed(() => readText(`${modules}/${release}/${name}`)) ?? [],
  );
  const plugins = needsOf(host);
  const missing = MODULES.filter(
    ([name, isNeeded]) =>
      lists.length > 0 &&
      isNeeded(plugins) &&
      inodeAndChange(`/sys/module/${name}`) === undefined &&
      !lists.some((list) => list.includes(`/${name}.ko`)),
  ).map(([name]) => name);
  using netfilter = openNftables();
  if (netfilter === undefined) missing.push("nf_tables");
  const found = missing.map(
    (name): Found => ({
      code: "BH201",
      object: name,
      message: `the kernel ${release} has no module ${name}`,
      remedy: `install the modules of this kernel, then modprobe ${name}`,
    }),
  );
  const bridge = host.links.find(({ kind }) => kind === "bridge")?.name;
  const isBlind =
    plugins.some(({ isVlan }) => isVlan) &&
    bridge !== undefined &&
    !exists(`${classes}/${bridge}/bridge/vlan_filtering`);
  if (isBlind)
    found.push({
      code: "BH201",
      object: "VLAN filtering",
      message: `the kernel ${release} was built without CONFIG_BRIDGE_VLAN_FILTERING, which vlan and vlanTrunk need`,
      remedy: "use a kernel that has it, or take these keys out of the network",
    });
  return found;
}

const SYSCTLS = { 4: "bridge-nf-call-iptables", 6: "bridge-nf-call-ip6tables" } as const;

const settingOf = (family: Family): string | undefined => sysctlIfThere("net", "bridge", SYSCTLS[family]);

/** Whether packets between the ports of a bridge pass the rules of iptables. */
export const bridgedPacketsPass = (): boolean => FAMILIES.some((family) => settingOf(family) === "1");

/** The services of Kubernetes fail between containers of one bridge if their packets do not pass its rules. */
export function unfilteredBridges({ networks }: Pick<HostState, "networks">): Found[] | undefined {
  const network = networks.networks.find(({ plugins }) => plugins.some((each) => typeOf(each) === "bridge"));
  if (network === undefined) return undefined;
  using netfilter = openNftables();
  const families = FAMILIES.filter((family) =>
    netfilter
      ?.dump(dumpChains(family === 4 ? "ip" : "ip6"), (message) => decodeChain(message))
      .some(({ chain }) => chain === "KUBE-SERVICES"),
  );
  if (families.length === 0) return undefined;
  return families.flatMap((family) => {
    const value = settingOf(family);
    if (value === "1") return [];
    const name = `net.bridge.${SYSCTLS[family]}`;
    const state = value === undefined ? "the module br_netfilter is not loaded" : `${name} is ${value}`;
    const remedy = value === undefined ? "modprobe br_netfilter" : `sysctl -w ${name}=1`;
    const message = `${state}, so a pod reaches no service whose pod is on the same bridge`;
    return [{ code: "BH211", object: network.name, message, remedy }];
  });
}
