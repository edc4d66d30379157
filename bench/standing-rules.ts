/** The rules of many standing attachments: those of the first one, multiplied. */
import { createHash } from "node:crypto";
import { containerId, NETWORK } from "./attachment.ts";
import { type Chain, firstPort, partsOf } from "./chain.ts";
import type { BenchHost } from "./host.ts";

/** The address of the n-th attachment. */
export const addressOf = (number: number): string => `10.1.${(number + 2) >> 8}.${(number + 2) & 255}`;

const sha512 = (text: string) => createHash("sha512").update(text).digest("hex");

/** The name of an attachment's chain in iptables. */
const chainOf = (number: number) => `CNI-${sha512(NETWORK + containerId(number)).slice(0, 24)}`;

/** What a rule of nftables carries to tell whose it is. */
const markOf = (number: number) =>
  `${sha512(NETWORK).slice(0, 16)}-${sha512(`eth0:${containerId(number)}`).slice(0, 16)}`;

/** The chain of its published ports there. */
const portChainOf = (number: number) => `CNI-DN-${sha512(NETWORK + containerId(number)).slice(0, 21)}`;

/** Rules or the result of attachment 0 with everything that is its own put in the place of another's. */
export const moved = (text: string, number: number): string =>
  text
    .replaceAll(chainOf(0), chainOf(number))
    .replaceAll(portChainOf(0), portChainOf(number))
    .replaceAll(markOf(0), markOf(number))
    .replaceAll(containerId(0), containerId(number))
    .replaceAll(new RegExp(`(--dports? )${firstPort(0)}\\b`, "g"), `$1${firstPort(number)}`)
    .replace(/\b10\.1\.0\.2\b/g, addressOf(number));

/** The masquerade rules of bridge. */
export async function multiplyRules(host: BenchHost, numbers: readonly number[]): Promise<void> {
  const iptables = linesWith(await host.script("iptables-save -t nat"), chainOf(0));
  if (iptables.length > 0) await restore(host, restoredTable("nat", iptables, numbers));
  const table = "inet cni_plugins_masquerade";
  const nftables = linesWith(await host.script(`nft list table ${table} 2>/dev/null || true`), markOf(0));
  if (nftables.length > 0) {
    const own = numbers.flatMap((number) => nftables.map((line) => moved(line.trim(), number)));
    await host.scriptWith(own.map((rule) => `add rule ${table} masq_checks ${rule}`).join("\n"), "nft -f");
  }
  if (iptables.length + nftables.length === 0)
    throw new Error(`${host.name}: no rules of the first attachment`);
}

/** The rules of portmap and firewall in iptables. */
export async function multiplyChainRules(host: BenchHost, numbers: readonly number[]): Promise<void> {
  // What goes through a pipe must fit into it (bench/launcher.c).
  const linesOf = async (table: string, part: string) =>
    linesWith(await host.script(`iptables-save -t ${table} | grep -F ${part}`), part);
  const ofPorts = await linesOf("nat", portChainOf(0));
  const ofFirewall = await linesOf("filter", `${addressOf(0)}/32`);
  if (ofPorts.length === 0 || ofFirewall.length === 0)
    throw new Error(`${host.name}: no rules of portmap and firewall for the first attachment`);
  await restore(host, restoredTable("nat", ofPorts, numbers) + restoredTable("filter", ofFirewall, numbers));
}

/** Lines of iptables-save about attachment 0, as iptables-restore reads them for the others. */
function restoredTable(table: string, lines: readonly string[], numbers: readonly number[]): string {
  const own = numbers.flatMap((number) =>
    lines.map((line) => moved(line, number).replace(/^(:\S+) .*/, "$1 -")),
  );
  const rules = own.filter((line) => !isChain(line));
  return [`*${table}`, ...own.filter(isChain), ...rules, "COMMIT", ""].join("\n");
}

const restore = (host: BenchHost, text: string) => host.scriptWith(text, "iptables-restore --noflush");

/** Calls all plugins of the chain but bridge for each attachment, as if bridge had made the interface. */
export async function placeByPlugins(
  host: BenchHost,
  { chain, folder }: { readonly chain: Chain; readonly folder: string },
  result: string,
  numbers: readonly number[],
): Promise<void> {
  const AT_ONCE = 2;
  for (let at = 0; at < numbers.length; at += AT_ONCE) {
    const calls = numbers.slice(at, at + AT_ONCE).map((number) =>
      partsOf("ADD", { folder, chain, number, netns: "standing0" })
        .slice(1)
        .flatMap(({ programs }) => programs({ result: moved(result, number) })),
    );
    for (const index of calls[0]?.keys() ?? []) {
      const ofPlugin = calls.flatMap((ofOne) => ofOne[index] ?? []);
      await host.time(ofPlugin, 0);
    }
  }
}

const isChain = (line: string) => line.startsWith(":");
const linesWith = (text: string, part: string) => text.split("\n").filter((line) => line.includes(part));
