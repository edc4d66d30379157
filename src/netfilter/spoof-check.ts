/**
 * Anti-spoofing of MAC addresses (macspoofchk; rules B17, G5, G17): frames that enter the bridge through a port with
 * another source than the container's are dropped. Layout and names are the reference's, so that each program can
 * remove what the other has added: one rule in PREROUTING leads the port's frames into a chain of their own.
 */
import { CniError, code } from "../cni/error.ts";
import { parseMac } from "../net/mac.ts";
import { Connection, type Request } from "../netlink/connection.ts";
import { update } from "../netlink/nftables/batch.ts";
import {
  addChain,
  type Chain,
  type ChainName,
  decodeChain,
  deleteChain,
  getChain,
  hookNumber,
} from "../netlink/nftables/chain.ts";
import { comparison } from "../netlink/nftables/expression/compare.ts";
import type { Expression } from "../netlink/nftables/expression/expression.ts";
import { metaKey } from "../netlink/nftables/expression/meta.ts";
import { payloadBase } from "../netlink/nftables/expression/payload.ts";
import {
  addRule,
  decodeRule,
  deleteRule,
  flushChain,
  getRule,
  type Rule,
  type RuleHandle,
} from "../netlink/nftables/rule.ts";
import { addTable } from "../netlink/nftables/table.ts";
import { comment, commentOf } from "../netlink/nftables/userdata.ts";
import { decodeLink, dumpLinks } from "../netlink/rtnetlink/link.ts";
import { NetlinkSocket, protocol } from "../netlink/socket.ts";
import { cString, leadsTo } from "./expressions.ts";
import { ask, isUnsupported, openNetfilterIfAny, rulesIn } from "./kernel.ts";
import { type Owner, spoofCheckChain, spoofCheckComment } from "./owner.ts";

const TABLE = { family: "bridge", table: "nat" } as const;
const PREROUTING: Chain = {
  ...TABLE,
  chain: "PREROUTING",
  // Before connection tracking and NAT of the bridge family: nft's `dstnat` there.
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
};
const REGISTER = 1;
const IFNAMSIZ = 16;
/** Offset of the source in an Ethernet header. */
const ETHER_SOURCE = 6;

/** The chain of a port, and the chain behind it that looks at the address. */
const chainsOf = (owner: Omit<Owner, "network">): [port: ChainName, mac: ChainName] => {
  const chain = spoofCheckChain(owner);
  return [
    { ...TABLE, chain },
    { ...TABLE, chain: `${chain}-mac` },
  ];
};

const to = (verdict: "drop" | "return"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict },
});

const jump = ({ chain }: ChainName): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: "jump", chain },
});

const equals = (value: Uint8Array): Expression => ({
  name: "cmp",
  register: REGISTER,
  operator: comparison.equal,
  value,
});

/** Goes on only with frames that came through this port. */
function enteredThrough(hostInterface: string): Expression[] {
  const name = new Uint8Array(IFNAMSIZ);
  name.set(new TextEncoder().encode(hostInterface).subarray(0, IFNAMSIZ - 1));
  return [{ name: "meta", key: metaKey.iifname, register: REGISTER }, equals(name)];
}

const sentBy = (mac: Uint8Array): Expression[] => [
  { name: "payload", register: REGISTER, base: payloadBase.link, offset: ETHER_SOURCE, length: mac.length },
  equals(mac),
];

/** The rules, chain by chain, in the order in which they are added. */
function layoutOf(owner: Owner, hostInterface: string, mac: Uint8Array): Rule[] {
  const [port, macs] = chainsOf(owner);
  const userData = [comment(spoofCheckComment(owner))];
  return [
    { ...PREROUTING, userData, expressions: [...enteredThrough(hostInterface), jump(port)] },
    { ...port, userData, expressions: [jump(macs)] },
    { ...macs, userData, expressions: [...sentBy(mac), to("return")] },
    { ...macs, userData, expressions: [to("drop")] },
  ].map(({ family, table, chain, userData, expressions }) => ({
    family,
    table,
    chain,
    userData,
    expressions,
  }));
}

/** The rule of PREROUTING comes behind the two chains, and the kernel numbers what a transaction adds in its order. */
const FROM_CHAIN_TO_RULE = 2n;

/** The rules of PREROUTING that lead into the port's chain, `count` of them by what the kernel says. */
function jumpsTo(connection: Connection, chain: Chain, count: number): (Rule & RuleHandle)[] {
  if (count <= 0) return [];
  const leads = (rule: Rule): boolean => leadsTo(rule, chain.chain);
  if (count === 1 && chain.handle !== undefined) {
    const guess = getRule({ ...PREROUTING, handle: chain.handle + FROM_CHAIN_TO_RULE });
    const found = ask(connection, [guess]).flatMap((replies) => replies.map((reply) => decodeRule(reply)));
    if (found.some(leads)) return found;
  }
  return rulesIn(connection, PREROUTING).filter(leads);
}

/** What there is of a spoof check: its chains with their rules, and the rules that lead there. */
function find(connection: Connection, owner: Omit<Owner, "network">) {
  const names = chainsOf(owner);
  const [port, macs] = ask(connection, names.map(getChain)).map(([reply]) => reply && decodeChain(reply));
  const rules = [port, macs].flatMap((chain) => (chain === undefined ? [] : rulesIn(connection, chain)));
  const inPort = rules.filter(({ chain }) => chain === port?.chain).length;
  const jumps = port === undefined ? [] : jumpsTo(connection, port, (port.use ?? 0) - inPort);
  return { port, macs, rules, jumps };
}

/** Takes away all of it; the last chain goes last, when no rule leads there any more. */
function removal(connection: Connection, owner: Omit<Owner, "network">): Request[] {
  const { port, macs, jumps } = find(connection, owner);
  return [
    ...jumps.map((rule) => deleteRule(rule)),
    ...[port, macs].flatMap((chain) => (chain === undefined ? [] : [flushChain(chain), deleteChain(chain)])),
  ];
}

/** Drops frames that enter the bridge through `hostInterface` with another source than `mac`. @throws CniError */
export async function setUpSpoofCheck(owner: Owner, hostInterface: string, mac: string): Promise<void> {
  const address = parseMac(mac);
  if (address === undefined) {
    throw new CniError(code.internal, `cannot check MAC addresses: ${JSON.stringify(mac)} is none`);
  }
  using netfilter = openNetfilterIfAny();
  try {
    if (netfilter === undefined) throw new Error("this kernel has no netfilter");
    // From an ADD that was killed before anybody knew of it.
    update(netfilter, () => removal(netfilter, owner));
    update(netfilter, () => [
      addTable(TABLE),
      addChain(PREROUTING),
      ...chainsOf(owner).map((chain) => addChain(chain, { exclusive: true })),
      ...layoutOf(owner, hostInterface, address).map((rule) => addRule(rule)),
    ]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(
      code.internal,
      `failed to setup spoof-check of ${JSON.stringify(hostInterface)}: ${reason}; it needs nf_tables for bridges: ` +
        `load the kernel modules nf_tables and nft_meta_bridge, or leave out "macspoofchk"`,
    );
  }
}

/**
 * Removes an attachment's check, found by its container id and interface name (G5). Nothing there is success.
 * @param connection of `openNetfilter`, for a caller that has more to do before it closes it. @throws CniError
 */
export async function tearDownSpoofCheck(
  owner: Omit<Owner, "network">,
  connection?: Connection,
): Promise<void> {
  using own = connection === undefined ? openNetfilterIfAny() : undefined;
  const netfilter = connection ?? own;
  if (netfilter === undefined) return;
  try {
    update(netfilter, () => removal(netfilter, owner));
  } catch (error) {
    if (isUnsupported(error)) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(code.internal, `failed to teardown spoof-check: ${reason}`);
  }
}

/** @throws CniError naming what is lost or altered (G17) */
export async function checkSpoofCheck(owner: Owner, hostInterface: string, mac: string): Promise<void> {
  using netfilter = openNetfilterIfAny();
  const damage =
    netfilter === undefined
      ? ["this kernel has no netfilter"]
      : damageOf(netfilter, owner, hostInterface, mac);
  if (damage.length === 0) return;
  throw new CniError(
    code.internal,
    `the spoof check of ${JSON.stringify(hostInterface)} for container ${JSON.stringify(owner.containerId)} interface ` +
      `${JSON.stringify(owner.ifname)} is lost or altered: ${damage.join("; ")}. Something flushed or changed it, as a ` +
      `firewall's reload does; DEL and ADD the attachment`,
  );
}

function damageOf(connection: Connection, owner: Owner, hostInterface: string, mac: string): string[] {
  const { port, macs, rules, jumps } = find(connection, owner);
  const where = `table ${TABLE.family} ${TABLE.table}`;
  const names = chainsOf(owner).map(({ chain }) => chain);
  const missing = [port, macs].flatMap((chain, index) =>
    chain === undefined ? [`${where} has no chain ${names[index]}`] : [],
  );
  if (missing.length > 0) return missing;
  const [base] = ask(connection, [getChain(PREROUTING)]).flatMap((replies) =>
    replies.map((reply) => decodeChain(reply)),
  );
  const hooked = base?.base?.hook === PREROUTING.base?.hook && base?.base?.type === PREROUTING.base?.type;
  const expected = layoutOf(owner, hostInterface, parseMac(mac) ?? new Uint8Array());
  const differs = [PREROUTING.chain, ...names].filter((chain) => {
    const wanted = expected.filter((rule) => rule.chain === chain).map(essence);
    const found = [...jumps, ...rules].filter((rule) => rule.chain === chain).map(essence);
    return !(chain === PREROUTING.chain
      ? wanted.every((rule) => found.includes(rule))
      : `${wanted}` === `${found}`);
  });
  return [
    ...(hooked
      ? []
      : [`chain ${PREROUTING.chain} of ${where} is missing, or no filter chain of the prerouting hook`]),
    ...differs.map((chain) =>
      chain === PREROUTING.chain
        ? `chain ${chain} of ${where} has no rule that leads frames of ${JSON.stringify(hostInterface)} to chain ${names[0]}`
        : `chain ${chain} of ${where} has other rules than those that let only ${mac} pass`,
    ),
  ];
}

/** What a rule does as a text, without counters that someone may have added. Equal rules have equal texts. */
const essence = ({ expressions }: Rule): string =>
  JSON.stringify(
    expressions.filter(({ name }) => name !== "counter"),
    (_, value: unknown) =>
      value instanceof Uint8Array
        ? value.toHex()
        : value?.constructor === Object
          ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
          : value,
  );

/** The port that a rule of PREROUTING is about and the chain it leads to, if it belongs to a spoof check. */
function portOf({ expressions, userData }: Rule): { hostInterface: string; chain: string } | undefined {
  const name = expressions.find((expression) => expression.name === "cmp")?.value;
  const last = expressions.at(-1);
  const chain = last?.name === "immediate" && "chain" in last.data ? last.data.chain : undefined;
  const ours = commentOf(userData)?.startsWith("macspoofchk-") && chain?.startsWith("cni-br-iface-");
  return ours && name && chain ? { hostInterface: cString(name), chain } : undefined;
}

/** Names of the host's interfaces. */
function interfaces(): Set<string> {
  using rtnetlink = new Connection(new NetlinkSocket(protocol.route));
  return new Set(rtnetlink.dump(dumpLinks()).flatMap((message) => decodeLink(message.payload).name ?? []));
}

/**
 * Removes the checks of bridge ports that do not exist any more. Chain names carry no network, so that "its port is
 * gone" is all that GC of one network may conclude from: the check of a living port stays, whatever its network.
 * @throws CniError
 */
export async function collectSpoofChecks(): Promise<void> {
  using netfilter = openNetfilterIfAny();
  if (netfilter === undefined) return;
  try {
    update(netfilter, () => staleChecks(netfilter));
  } catch (error) {
    if (isUnsupported(error)) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(code.internal, `failed to collect spoof checks: ${reason}`);
  }
}

function staleChecks(connection: Connection): Request[] {
  const checks = rulesIn(connection, PREROUTING).flatMap((rule) => {
    const port = portOf(rule);
    return port === undefined ? [] : [{ ...port, rule }];
  });
  // In this order: a port is always there before its check.
  const there = checks.length === 0 ? new Set<string>() : interfaces();
  const stale = checks.filter(({ hostInterface }) => !there.has(hostInterface));
  const kept = new Set(checks.filter((check) => !stale.includes(check)).map(({ chain }) => chain));
  const names = [...new Set(stale.map(({ chain }) => chain))].filter((chain) => !kept.has(chain));
  const chains = names.flatMap((chain) => [
    { ...TABLE, chain },
    { ...TABLE, chain: `${chain}-mac` },
  ]);
  const found = ask(connection, chains.map(getChain)).flatMap((replies) =>
    replies.map((reply) => decodeChain(reply)),
  );
  return [
    ...stale.map(({ rule }) => deleteRule(rule)),
    ...found.flatMap((chain) => [flushChain(chain), deleteChain(chain)]),
  ];
}
