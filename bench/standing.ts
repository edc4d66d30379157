/** Attachments that stand on a host while others come and go. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { addNamespaces, type CallOptions, containerId, NETWORK, pluginCall } from "./attachment.ts";
import type { BenchHost } from "./host.ts";

type Options = Pick<CallOptions, "folder" | "shape">;

/** From this number on attachments are not made by the plugin, which would take minutes. */
const BULK = 200;

const IPV6 = "/proc/sys/net/ipv6/conf";

/** Interfaces that have stood for long are quiet. Thousands of new ones would look for routers and neighbours. */
const LOUD = ["accept_ra", "dad_transmits", "router_solicitations"];

/** Whether an interface has an IPv6 address of its own: the kernel walks all routes of such when a link comes up. */
const COPIED = ["addr_gen_mode", "disable_ipv6"];

/**
 * More attachments than this are on more bridges, as of more networks: a broadcast goes to all ports of a bridge, and
 * with a thousand of them that is most of what the kernel does in an ADD. The kernel takes 1,023 (BR_MAX_PORTS).
 */
const PORTS = 100;

/** Attachments made by the plugin itself, each in a namespace of its own; or in bulk when there are many. */
export async function stand(host: BenchHost, options: Options, count: number, ports = PORTS): Promise<void> {
  if (count >= BULK) return standInBulk(host, options, count, ports);
  await addNamespaces(host, "standing", count);
  for (let number = 0; number < count; number++) await standByPlugin(host, options, number);
}

const standByPlugin = (host: BenchHost, options: Options, number: number) =>
  host.time([pluginCall("ADD", { ...options, number, netns: `standing${number}` })], 0);

/**
 * Many attachments of IPv4 with ipMasq. The plugin makes one; what it left is multiplied: ports with a carrier,
 * masquerade rules, leases. The other ends are in one namespace, which the host doesn't see. At the end the plugin
 * has to find one of them and take away its rules and its lease.
 */
async function standInBulk(host: BenchHost, options: Options, count: number, ports: number): Promise<void> {
  await addNamespaces(host, "standing", 1);
  await standByPlugin(host, options, 0);
  await host.script(`ip netns add bulk
    for s in all default; do echo 1 | ip netns exec bulk tee ${IPV6}/$s/disable_ipv6; done
    port=$(ls /sys/class/net/cni0/brif)
    for s in ${[...LOUD, ...COPIED].join(" ")}; do cp ${IPV6}/default/$s /run/default-$s; done
    for s in ${COPIED.join(" ")}; do cat ${IPV6}/$port/$s >${IPV6}/default/$s; done
    for s in ${LOUD.join(" ")}; do echo 0 >${IPV6}/default/$s; done`);
  // One more than asked for, in a namespace of its own: the plugin has to delete it.
  await addNamespaces(host, "proof", 1);
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await makeLinks(host, numbers, ports);
  await host.script(
    `for s in ${[...LOUD, ...COPIED].join(" ")}; do cat /run/default-$s >${IPV6}/default/$s; done`,
  );
  await multiplyRules(host, numbers);
  for (const number of numbers) {
    writeFileSync(`${host.folder}/networks/${NETWORK}/${addressOf(number)}`, leaseOf(number), {
      mode: 0o600,
    });
  }
  await proveBulk(host, options, count);
}

const addressOf = (number: number) => `10.1.${(number + 2) >> 8}.${(number + 2) & 255}`;
const leaseOf = (number: number) => `${containerId(number)}\r\neth0`;

async function makeLinks(host: BenchHost, numbers: readonly number[], ports: number): Promise<void> {
  const bridgeOf = (number: number) => `cni${Math.floor(number / ports)}`;
  // The plugin's own link has an alias, or none.
  const alias = /alias (\S+)/.exec(await host.script("ip -d link show master cni0"))?.[1];
  const bridges = [...new Set(numbers.map(bridgeOf))].filter((name) => name !== "cni0");
  const outside = [
    ...bridges.flatMap((name, index) => [
      `link add ${name} type bridge`,
      `addr add 10.${index + 2}.0.1/16 dev ${name}`,
      `link set ${name} up`,
    ]),
    ...numbers.flatMap((number) => {
      const name = `vethb${number.toString(16).padStart(7, "0")}`;
      const own = alias === undefined ? "" : ` alias ${alias.replace(containerId(0), containerId(number))}`;
      return [
        `link add ${name} master ${bridgeOf(number)} type veth peer name c${number} netns bulk`,
        `link set ${name} up${own}`,
      ];
    }),
  ];
  const inside = numbers.slice(0, -1).map((number) => `link set c${number} up`);
  await host.scriptWith(outside.join("\n"), "ip -batch");
  await host.scriptWith(inside.join("\n"), "ip -n bulk -batch");
  const last = numbers.at(-1) ?? 0;
  await host.script(`ip -n bulk link set c${last} netns proof0 name eth0
    ip -n proof0 addr add ${addressOf(last)}/16 dev eth0
    ip -n proof0 link set eth0 up`);
}

const sha512 = (text: string) => createHash("sha512").update(text).digest("hex");

/** The name of an attachment's chain in iptables. */
const chainOf = (number: number) => `CNI-${sha512(NETWORK + containerId(number)).slice(0, 24)}`;

/** What a rule of nftables carries to tell whose it is. */
const markOf = (number: number) =>
  `${sha512(NETWORK).slice(0, 16)}-${sha512(`eth0:${containerId(number)}`).slice(0, 16)}`;

/** Rules of attachment 0 with everything that is its own put in the place of another's. */
const moved = (text: string, number: number) =>
  text
    .replaceAll(chainOf(0), chainOf(number))
    .replaceAll(markOf(0), markOf(number))
    .replaceAll(containerId(0), containerId(number))
    .replace(/\b10\.1\.0\.2\b/g, addressOf(number));

async function multiplyRules(host: BenchHost, numbers: readonly number[]): Promise<void> {
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

const isChain = (line: string) => line.startsWith(":");
const linesWith = (text: string, part: string) => text.split("\n").filter((line) => line.includes(part));

/** @throws Error unless the plugin's DEL of the last attachment takes away what belongs to it, and no more. */
async function proveBulk(host: BenchHost, options: Options, last: number): Promise<void> {
  const look = async () => ({
    links: Number(await host.script("ls /sys/class/net | grep -c veth")),
    rules: Number(await host.script("nft list ruleset | grep -c 'saddr.* 10[.]1[.]'")),
    leases: Number(await host.script(`ls /var/lib/cni/networks/${NETWORK} | grep -c 10[.]1[.]`)),
  });
  const before = await look();
  await host.time([pluginCall("DEL", { ...options, number: last, netns: "proof0" })], 0);
  const after = await look();
  const each = Object.values(after);
  // The measured attachment's namespace has no end on the host yet.
  if (each.some((count) => count !== last) || Object.values(before).some((count) => count !== last + 1)) {
    throw new Error(`${host.name}: DEL does not know bulk attachments: ${JSON.stringify({ before, after })}`);
  }
}
