/** Judges networks against each other: names, bridges and subnets. */
import { areDisjoint } from "../../net/interval.ts";
import { formatIp, sameIp } from "../../net/ip.ts";
import { formatPrefix, overlaps } from "../../net/prefix.ts";
import { get } from "../../schema/parse.ts";
import { bridgeNameOf } from "../networks.ts";
import { inside, type NetworkFile, type PluginEntry } from "./network-file.ts";
import type { Report } from "./report.ts";
import { type Subnet, subnetsOf, subnetsOfEntry } from "./subnets.ts";

/** A network, and whether its findings are wanted. The others are only what it is compared with. */
export interface Compared {
  readonly file: NetworkFile;
  readonly isJudged: boolean;
}

/** Compares each network with those before it, in the order in which runtimes read the files. */
export function judgeNetworks(networks: readonly Compared[], report: Report): void {
  const used: Compared[] = [];
  for (const network of networks) {
    const { file, isJudged } = network;
    const same = used.find(({ file: other }) => other.name !== undefined && other.name === file.name);
    if (same === undefined) {
      for (const other of used) if (isJudged || other.isJudged) judgePair(...inOrder(network, other), report);
      used.push(network);
    } else if (isJudged) {
      const problem = `network ${JSON.stringify(file.name)} is in ${same.file.path} already, which runtimes take`;
      report.add("BH110", file, "name", problem, "rename the network, or remove one of the files");
    }
  }
}

/** The finding is reported in the later file, or in the one that is judged. */
const inOrder = (later: Compared, earlier: Compared): [NetworkFile, NetworkFile] =>
  later.isJudged ? [later.file, earlier.file] : [earlier.file, later.file];

const bridgeIn = ({ written }: PluginEntry): string | undefined => bridgeNameOf(written);

function judgePair(file: NetworkFile, other: NetworkFile, report: Report): void {
  const shared = file.plugins.flatMap((one) =>
    other.plugins.flatMap((two) =>
      bridgeIn(one) !== undefined && bridgeIn(one) === bridgeIn(two) ? [{ one, two }] : [],
    ),
  );
  for (const { one, two } of shared) judgeBridge(file, one, other, two, report);
  const otherSubnets = subnetsOf(other);
  for (const subnet of subnetsOf(file)) {
    const same = otherSubnets.find((each) => clash(subnet, each, shared.length > 0));
    if (same === undefined) continue;
    const problem = `${formatPrefix(subnet.prefix)} overlaps with ${formatPrefix(same.prefix)} of network ${JSON.stringify(other.name)} in ${other.path}`;
    report.add("BH120", file, subnet.key, problem, "give each network a subnet of its own");
  }
}

/** On one bridge two networks may divide a subnet. */
const clash = (one: Subnet, two: Subnet, sameBridge: boolean): boolean =>
  overlaps(one.prefix, two.prefix) && !(sameBridge && areDisjoint([one.given, two.given]));

function judgeBridge(
  file: NetworkFile,
  one: PluginEntry,
  other: NetworkFile,
  two: PluginEntry,
  report: Report,
): void {
  const bridge = JSON.stringify(bridgeIn(one));
  const vlans = [one, two].map(({ written }) => get(written, "vlan") ?? 0);
  if (vlans[0] !== vlans[1]) return;
  const key = inside(one.at, "bridge");
  const whose = `network ${JSON.stringify(other.name)} in ${other.path}`;
  const isGateway = ({ written }: PluginEntry) =>
    get(written, "isGateway") === true || get(written, "isDefaultGateway") === true;
  if (isGateway(one) && isGateway(two)) {
    for (const { gateway } of subnetsOfEntry(one).filter(({ gateway: { family } }) => family === 4)) {
      const theirs = subnetsOfEntry(two).filter((each) => each.gateway.family === 4);
      const [first] = theirs;
      if (first === undefined || theirs.some((each) => sameIp(each.gateway, gateway))) continue;
      const problem = `bridge ${bridge} gets ${formatIp(gateway)} here, and ${formatIp(first.gateway)} from ${whose}`;
      report.add("BH123", file, key, problem, 'give each network its own bridge, with the key "bridge"');
      return;
    }
  }
  const problem = `bridge ${bridge} is also that of ${whose}: their containers reach each other`;
  report.add("BH124", file, key, problem, 'name another one with the key "bridge", unless it is meant so');
}
