/** The rules of many standing attachments: those of the first one, multiplied. */
import { createHash } from "node:crypto";
import { containerId, NETWORK } from "./attachment.ts";
import { firstPort } from "./chain.ts";
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
    .replaceAll(markOf(0), markOf(number))
    .replaceAll(containerId(0), containerId(number))
    .replace(/\b10\.1\.0\.2\b/g, addressOf(number));

/** The masquerade rules of bridge. */
export async function multiplyRules(host: BenchHost, numbers: readonly number[]): Promise<void> {
  const iptables = linesWith(await host.script("iptables-save -t nat"), chainOf(0));
  if (iptables.length > 0) {
    const own = numbers.flatMap((number) =>
      iptables.map((line) => moved(line, number).replace(/^(:\S+) .*/, "$1 -")),
    );
    await host.scriptWith(
      ["*nat", ...own.filter(isChain), ...own.filter((line) => !isChain(line)), "COMMIT", ""].join("\n"),
      "iptables-restore --noflush",
    );
  }
  const table = "inet cni_plugins_masquerade";
  const nftables = linesWith(await host.script(`nft list table ${table} 2>/dev/null || true`), markOf(0));
  if (nftables.length > 0) {
    const own = numbers.flatMap((number) => nftables.map((line) => moved(line.trim(), number)));
    await host.scriptWith(own.map((rule) => `add rule ${table} masq_checks ${rule}`).join("\n"), "nft -f");
  }
  if (iptables.length + nftables.length === 0)
    throw new Error(`${host.name}: no rules of the first attachment`);
}

/**
 * The rules of a whole chain, whose user data iptables-save does not show, by bench/copy-rules.c. `copier` is that program.
 * @throws Error when there are none.
 */
export async function copyRules(host: BenchHost, copier: string, numbers: readonly number[]): Promise<void> {
  const lines = [0, ...numbers].map((number) => [...namesOf(number), ...portOf(number)]);
  const text = lines.map((parts) => parts.map((part) => part.toString("hex")).join(" ")).join("\n");
  await host.scriptWith(text, `${copier} ${namesOf(0).length}`);
}

/** What tells an attachment's chains and rules from those of others. */
const namesOf = (number: number): Buffer[] => [
  ...[containerId(number), chainOf(number), portChainOf(number), markOf(number)].map((text) =>
    Buffer.from(text),
  ),
  Buffer.from(addressOf(number).split(".").map(Number)),
];

/** Its published port, in the byte orders of the network and of x_tables. */
function portOf(number: number): Buffer[] {
  const ofNetwork = Buffer.alloc(2);
  ofNetwork.writeUInt16BE(firstPort(number));
  return [ofNetwork, Buffer.from(ofNetwork).swap16()];
}

const isChain = (line: string) => line.startsWith(":");
const linesWith = (text: string, part: string) => text.split("\n").filter((line) => line.includes(part));
