/** What is on the host of the plugins behind bridge: published ports, rules of the firewall, saved settings, flows. */
import { existsSync } from "node:fs";
import { attachmentMark } from "../../../src/netfilter/attachment-names.ts";
import { outcomeOf } from "../../support/command.ts";
import type { Attachment } from "./model.ts";
import type { Network } from "./networks.ts";
import type { Rules } from "./rules.ts";

const isV6 = (address: string): boolean => address.includes(":");

/** What is wrong with the rules of portmap and of the firewall, in sentences. */
export function missingBehind(rules: Rules, attachment: Attachment): string[] {
  const { network, addresses } = attachment;
  // Once the lease is gone, rules that do not name an owner cannot be told to be this attachment's.
  if (network.behind === undefined || !attachment.isWhole("lease")) return [];
  return addresses.flatMap((address) => [
    ...missingPorts(rules, attachment, address),
    ...missingAccepts(rules, attachment, address),
  ]);
}

function missingPorts(rules: Rules, { network, container }: Attachment, address: string): string[] {
  const { behind, name } = network;
  const port = behind?.portOf(container.name);
  const to = isV6(address) ? `[${address}]:${port}` : `${address}:${port}`;
  const table = rules.own.get(`ip${isV6(address) ? "6" : ""} cni_hostport`) ?? "";
  const translates = (lines: readonly string[], words: string): boolean =>
    ["tcp", "udp"].every((protocol) =>
      lines.some((line) => line.includes(protocol) && `${line} `.includes(`${words} ${to} `)),
    );
  if (behind?.portmap === "nftables") {
    const own = table.split("\n").filter((line) => line.includes(`comment "${container.name}"`));
    const leads = ["prerouting", "output"].every((chain) =>
      new RegExp(`chain ${chain} \\{[^}]*jump hostports`).test(table),
    );
    return [
      ...(translates(own, "dnat to") ? [] : [`port ${port} does not lead to ${address} by nftables`]),
      ...(leads ? [] : [`nothing leads to the published ports of ${address}`]),
    ];
  }
  const entries = rules.iptables.filter((line) => line.includes(portComment(name, container.name)));
  const isLed = ["tcp", "udp"].every((protocol) => entries.some((line) => line.includes(`-p ${protocol} `)));
  const shared = [...rules.tables].some(
    ([table, lines]) =>
      table.endsWith(` ip${isV6(address) ? "6" : ""} nat`) &&
      lines.some((line) => line.includes(`--to-destination ${to}`)) &&
      ["PREROUTING", "OUTPUT"].every((chain) =>
        lines.some((line) => line.startsWith(`-A ${chain} `) && line.endsWith("-j CNI-HOSTPORT-DNAT")),
      ) &&
      lines.some((line) => line.startsWith("-A POSTROUTING ") && line.endsWith("-j CNI-HOSTPORT-MASQ")) &&
      ["MASQ", "SETMARK"].every((chain) =>
        lines.some((line) => line.startsWith(`-A CNI-HOSTPORT-${chain} `)),
      ),
  );
  return [
    ...(translates(rules.iptables, "--to-destination") ? [] : [`port ${port} does not lead to ${address}`]),
    ...(isLed ? [] : [`no rule for port ${port} leads into the chain of ${address}`]),
    ...(shared ? [] : [`the table of ${address} lacks a rule that all attachments share`]),
  ];
}

function missingAccepts(rules: Rules, attachment: Attachment, address: string): string[] {
  const { network } = attachment;
  const { behind, bridge } = network;
  const isIsolating = behind?.policy !== "open" && attachment.isWhole("bridge");
  if (behind?.firewall === "nftables") {
    const table = rules.own.get("inet cni_firewall") ?? "";
    const isNoted = elementsOf(table).some(
      (element) => element.address === address && `${element.comment}"`.includes(ownerWords(attachment)),
    );
    return [
      ...(isNoted ? [] : [`${address} is not among the addresses of the firewall`]),
      ...(isIsolating && !table.includes(`"${bridge}"`) ? [`${bridge} has no policy`] : []),
    ];
  }
  const whole = `${address}/${isV6(address) ? 128 : 32}`;
  const family = isV6(address) ? "ip6" : "ip";
  const isThere = [...rules.tables].some(
    ([table, lines]) =>
      table.endsWith(` ${family} filter`) &&
      [`-A CNI-FORWARD -s ${whole} -j ACCEPT`, "RELATED,ESTABLISHED -j ACCEPT", "DNAT -j ACCEPT"].every(
        (words) => lines.some((line) => line.includes(` ${whole} `) && line.endsWith(words)),
      ) &&
      lines.some((line) => line.startsWith("-A FORWARD ") && line.endsWith("-j CNI-FORWARD")) &&
      (!isIsolating || lines.some((line) => line.includes(`-i ${bridge} ! -o ${bridge} `))),
  );
  return isThere ? [] : [`no table of iptables has all rules of the firewall for ${address}`];
}

/** Rules of portmap and of the firewall that tell of an attachment. */
export function rulesBehind(rules: Rules, { network, container, ifname }: Attachment): string[] {
  const { behind, name } = network;
  if (behind === undefined) return [];
  const words = [
    portComment(name, container.name),
    `attachment-${attachmentMark({ network: name, containerId: container.name, ifname })}`,
    ownerWords({ network, container, ifname }),
  ];
  const destination = new RegExp(`(dnat to|--to-destination) \\S+:${behind.portOf(container.name)}\\b`);
  return [...rules.iptables, ...[...rules.own.values()].flatMap((text) => text.split("\n"))].filter(
    (line) => words.some((each) => line.includes(each)) || destination.test(line),
  );
}

/** Addresses of containers of these networks that the firewall has rules for. */
export function firewalledAddresses(rules: Rules, network: Network): string[] {
  const subnets = subnetsOf(network);
  const found = [
    ...rules.iptables.flatMap((line) => /^-A CNI-FORWARD -[sd] ([0-9a-f.:]+)\//.exec(line)?.[1] ?? []),
    ...elementsOf(rules.own.get("inet cni_firewall") ?? "").map(({ address }) => address),
  ];
  return [...new Set(found)].filter((address) => subnets.some((subnet) => address.startsWith(subnet)));
}

/** The common beginnings of a network's addresses. */
const subnetsOf = ({ chain }: Network): string[] => {
  const ipam = chain[0]?.ipam as { ranges: readonly (readonly { subnet: string }[])[] };
  return ipam.ranges
    .flat()
    .map(({ subnet }) => subnet.replace(/(\.0|:)\/\d+$/, (_, end) => (end === ".0" ? "." : ":")));
};

/** Elements of sets that have a comment. */
const elementsOf = (table: string): { address: string; comment: string }[] =>
  [...table.matchAll(/([0-9a-f.:]+) comment "([^"]*)"/g)].map(([, address = "", comment = ""]) => ({
    address,
    comment,
  }));

const portComment = (network: string, container: string): string =>
  `"dnat name: \\"${network}\\" id: \\"${container}\\""`;

const ownerWords = ({ network, container, ifname }: Pick<Attachment, "network" | "container" | "ifname">) =>
  `net: ${network.name}, if: ${ifname}, id: ${container.name}"`;

/** Whether there is a file of settings that tuning has saved. */
export const hasSavedSettings = ({ network, container, ifname }: Attachment): boolean =>
  network.behind !== undefined && existsSync(`/run/cni/tuning/${container.name}_${ifname}.json`);

/** Sends packets to the published UDP port, so that there are flows to the container. */
export async function makeFlows(attachment: Attachment): Promise<void> {
  const { network, container } = attachment;
  if (network.behind === undefined) return;
  const port = network.behind.portOf(container.name);
  await outcomeOf(["bash", "-c", `echo >/dev/udp/${network.gateway}/${port}`]);
  attachment.hasFlows = true;
}

/** Flows that lead to its port. */
export async function flowsOf({ network, container }: Attachment): Promise<string[]> {
  const port = network.behind?.portOf(container.name);
  const { stdout } = await outcomeOf(["conntrack", "-L", "-p", "udp", "--reply-port-src", `${port}`]);
  // A flow to the host itself, from before ADD or after DEL, is not translated.
  return stdout.split("\n").filter((line) => line !== "" && !/dst=(\S+) .* src=\1 /.test(line));
}
