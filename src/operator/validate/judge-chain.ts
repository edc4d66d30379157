/** Judges the list of plugins: their order, the version, and what two of them do at once. */
import type { Plugin } from "../../cni/plugin.ts";
import { findVersion, versionsFrom } from "../../cni/version.ts";
import { BROUGHT_BY, isAtLeast } from "../../cni/version-check.ts";
import { PLUGINS } from "../../plugins/registry.ts";
import { get } from "../../schema/parse.ts";
import { inside, isObject, type NetworkFile, type PluginEntry } from "./network-file.ts";
import type { Report } from "./report.ts";

/** Kinds of plugins of others, by their types. */
const FOREIGN: readonly (readonly [Plugin["kind"], string])[] = [
  [
    "interface",
    "ptp macvlan ipvlan vlan host-device dummy tap flannel calico cilium-cni multus weave-net ovs sriov",
  ],
  ["chained", "bandwidth sbr vrf"],
  ["ipam", "dhcp whereabouts calico-ipam"],
];

/** Whether a plugin is in this program. */
export const isOurs = (type: string): boolean => PLUGINS.some(({ name }) => name === type);

/** What a plugin is; undefined for one that is not known. */
function kindOf(type: string): Plugin["kind"] | undefined {
  const own = PLUGINS.find(({ name }) => name === type)?.kind;
  return own ?? FOREIGN.find(([, names]) => names.split(" ").includes(type))?.[0];
}

/** Judges a network as a whole. */
export function judgeChain(file: NetworkFile, report: Report): void {
  judgeOrder(file, report);
  judgeVersion(file, report);
  judgeMasquerade(file, report);
  for (const entry of file.plugins) judgeEntry(file, entry, report);
}

function judgeOrder(file: NetworkFile, report: Report): void {
  const { plugins } = file;
  for (const [index, { type, at, ipam }] of plugins.entries()) {
    const kind = kindOf(type);
    const quoted = JSON.stringify(type);
    if (kind === "ipam") {
      const problem = `${quoted} is an IPAM plugin, which another plugin calls`;
      report.add(
        "BH131",
        file,
        inside(at, "type"),
        problem,
        `write "ipam": {"type": ${quoted}, …} in the plugin that makes the interface`,
      );
    }
    if (ipam !== undefined && !["ipam", undefined].includes(kindOf(ipam))) {
      const problem = `${JSON.stringify(ipam)} is not an IPAM plugin`;
      report.add(
        "BH131",
        file,
        inside(at, "ipam.type"),
        problem,
        'name one, as in "ipam": {"type": "host-local", …}',
      );
    }
    if (kind !== "chained") continue;
    // What an unknown plugin makes is not known; loopback makes no interface of the network.
    const makes = (entry: PluginEntry) =>
      [undefined, "interface"].includes(kindOf(entry.type)) && entry.type !== "loopback";
    if (plugins.slice(0, index).some(makes)) continue;
    const maker = plugins.slice(index + 1).find(makes);
    // tuning alone sets up what exists already, as lo behind loopback.
    if (maker === undefined && type === "tuning" && index > 0) continue;
    const problem = `${quoted} works on the interface of an earlier plugin, and none comes before it`;
    const remedy =
      maker === undefined
        ? "put it into a list, behind the plugin that makes the interface"
        : `put it behind ${JSON.stringify(maker.type)}`;
    report.add("BH130", file, inside(at, "type"), problem, remedy);
  }
}

function judgeVersion(file: NetworkFile, report: Report): void {
  const { version } = file;
  const key = "cniVersion";
  const known = findVersion(version);
  if (known === undefined) {
    const problem = `${JSON.stringify(version)} is not a version of the CNI specification that our plugins speak`;
    report.add("BH141", file, key, problem, `use one of ${versionsFrom(undefined).join(", ")}`);
    return;
  }
  for (const { type, at } of file.plugins) {
    const oldest = PLUGINS.find(({ name }) => name === type)?.oldest;
    if (versionsFrom(oldest).includes(known)) continue;
    const problem = `${JSON.stringify(type)} does not speak version ${known}`;
    report.add("BH141", file, inside(at, "type"), problem, `set "cniVersion" to ${oldest} or later`);
  }
  const said = version === undefined ? `there is no "cniVersion", which means ${known}` : `version ${known}`;
  if (!isAtLeast(known, BROUGHT_BY.CHECK)) {
    report.add(
      "BH140",
      file,
      key,
      `${said}: no runtime will call CHECK, GC or STATUS`,
      'set "cniVersion": "1.0.0" or later',
    );
  } else if (!isAtLeast(known, BROUGHT_BY.GC)) {
    report.add(
      "BH142",
      file,
      key,
      `${said}: no runtime will call GC or STATUS`,
      'set "cniVersion": "1.1.0" if the runtime knows it',
    );
  }
}

function judgeMasquerade(file: NetworkFile, report: Report): void {
  const masquerading = file.plugins.filter(({ written }) => {
    const delegate = get(written, "delegate");
    return get(written, "ipMasq") === true || (isObject(delegate) && get(delegate, "ipMasq") === true);
  });
  const [first, ...others] = masquerading;
  for (const { type, at } of others) {
    const problem = `${JSON.stringify(type)} masquerades, and so does ${JSON.stringify(first?.type)} before it`;
    report.add("BH152", file, inside(at, "ipMasq"), problem, "set ipMasq in one of them only");
  }
}

function judgeEntry(file: NetworkFile, { type, at, written }: PluginEntry, report: Report): void {
  if (type !== "portmap") return;
  if (get(written, "externalSetMarkChain") !== undefined) {
    const problem =
      "externalSetMarkChain is deprecated: it needs another program's chain, which kube-proxy no longer has";
    report.add(
      "BH150",
      file,
      inside(at, "externalSetMarkChain"),
      problem,
      "remove it: portmap then has a chain of its own",
    );
  }
  const capabilities = get(written, "capabilities");
  const receives = isObject(capabilities) && get(capabilities, "portMappings") === true;
  const runtime = get(written, "runtimeConfig");
  if (receives || (isObject(runtime) && get(runtime, "portMappings") !== undefined)) return;
  const problem = "portmap gets no ports: it has not the capability portMappings";
  report.add("BH132", file, inside(at, "type"), problem, 'add "capabilities": {"portMappings": true}');
}
