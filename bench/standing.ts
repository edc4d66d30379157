/** Attachments that stand on a host while others come and go. */
import { writeFileSync } from "node:fs";
import { addNamespaces, type CallOptions, containerId, NETWORK, pluginCall } from "./attachment.ts";
import { addByChain, type Chain, delByChain } from "./chain.ts";
import type { BenchHost } from "./host.ts";
import { addressOf, copyRules, moved, multiplyRules } from "./standing-rules.ts";

type Options = Pick<CallOptions, "folder"> & (OfBridge | OfChain);

/** Attachments of bridge alone. */
interface OfBridge {
  readonly shape: CallOptions["shape"];
  readonly chain?: never;
}

/** Attachments of a chain. */
interface OfChain {
  readonly chain: Chain;
  /** bench/copy-rules.c, for many. */
  readonly copier: string;
}

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

/** Attaches one; its result. */
async function standByPlugin(host: BenchHost, options: Options, number: number): Promise<string> {
  const netns = `standing${number}`;
  if (options.chain !== undefined) return addByChain(host, { ...options, number, netns });
  const { calls } = await host.time([pluginCall("ADD", { ...options, number, netns })], 0);
  return calls[0]?.stdout ?? "";
}

/**
 * Many attachments of IPv4 with ipMasq. The plugin makes one; what it left is multiplied: ports with a carrier,
 * rules, leases. The other ends are in one namespace, which the host doesn't see.
 * At the end the plugin has to find one of them and take away its rules and its lease.
 */
async function standInBulk(host: BenchHost, options: Options, count: number, ports: number): Promise<void> {
  await addNamespaces(host, "standing", 1);
  const result = await standByPlugin(host, options, 0);
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
  if (options.chain === undefined) await multiplyRules(host, numbers);
  else await copyRules(host, options.copier, numbers);
  for (const number of numbers) {
    writeFileSync(`${host.folder}/networks/${NETWORK}/${addressOf(number)}`, leaseOf(number), {
      mode: 0o600,
    });
  }
  await proveBulk(host, options, result, count);
}

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

/** @throws Error unless the plugin's DEL of the last attachment takes away what belongs to it, and no more. */
async function proveBulk(host: BenchHost, options: Options, result: string, last: number): Promise<void> {
  const look = async () => ({
    links: Number(await host.script("ls /sys/class/net | grep -c veth")),
    rules: Number(await host.script("nft list ruleset | grep -c '[sd]addr.* 10[.]1[.]'")),
    leases: Number(await host.script(`ls /var/lib/cni/networks/${NETWORK} | grep -c 10[.]1[.]`)),
  });
  const before = await look();
  const measured = { number: last, netns: "proof0" };
  if (options.chain !== undefined) await delByChain(host, { ...options, ...measured }, moved(result, last));
  else await host.time([pluginCall("DEL", { ...options, ...measured })], 0);
  const after = await look();
  // The measured attachment's namespace has no end on the host yet.
  const lost = (key: keyof typeof after) => before[key] / (last + 1) !== after[key] / last;
  if (lost("links") || lost("rules") || lost("leases") || after.links !== last || after.leases !== last) {
    throw new Error(`${host.name}: DEL does not know bulk attachments: ${JSON.stringify({ before, after })}`);
  }
}
