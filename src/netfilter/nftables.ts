/**
 * Masquerading with a table of nftables (rules B29, G5, G17), without a child process.
 *
 * Each address has one rule in `masq_checks` whose comment says the attachment, as the reference writes it; so each
 * program can delete what the other has added. The source stands in an anonymous set of a name of our own, made of the
 * attachment's mark. By that name the rule is found at once, without a walk through the chain
 * (docs/decisions/0302-one-rule-an-address.md).
 */
// Long because: all four tasks of the backend rest on the form of the same few rules.
import { formatIp, ipFromBytes, ipToBytes } from "../net/ip.ts";
import { formatPrefix, networkOf, type Prefix, samePrefix } from "../net/prefix.ts";
import type { Connection, Request } from "../netlink/connection.ts";
import { rehearse, update } from "../netlink/nftables/batch.ts";
import { addChain, type ChainName, decodeChain, getChain, hookNumber } from "../netlink/nftables/chain.ts";
import { addElements, decodeElements, getElements } from "../netlink/nftables/element.ts";
import type { Expression } from "../netlink/nftables/expression/expression.ts";
import {
  addRule,
  decodeRule,
  deleteRule,
  flushChain,
  getRule,
  type Rule,
  type RuleHandle,
} from "../netlink/nftables/rule.ts";
import { addSet, decodeSet, getSet, type SetName } from "../netlink/nftables/set.ts";
import { addTable } from "../netlink/nftables/table.ts";
import { comment, commentOf } from "../netlink/nftables/userdata.ts";
import { type AddressRule, MULTICAST, outside, within } from "./address-rule.ts";
import { leadsTo, matchAddress, matchSourceSet, ofFamily, readAddressRule, verdict } from "./expressions.ts";
import { ask, isUnsupported, rulesIn } from "./kernel.ts";
import { attachmentMark, networkMark, nftablesComment, type Owner } from "./owner.ts";

const TABLE = { family: "inet", table: "cni_plugins_masquerade" } as const;
const POSTROUTING: ChainName = { ...TABLE, chain: "postrouting" };
const CHECKS: ChainName = { ...TABLE, chain: "masq_checks" };
/** nft's `srcnat`. */
const SRCNAT = 100;
const NF_ACCEPT = 1;

/** What postrouting consists of: the reference empties it on each ADD and writes these. */
const POSTROUTING_RULES: readonly Expression[][] = [
  ...([4, 6] as const).map((family) => [
    ...ofFamily(family),
    ...matchAddress("destination", within(MULTICAST[family])),
    verdict("return"),
  ]),
  [verdict({ goto: CHECKS.chain })],
];

type FoundRule = Rule & RuleHandle;

/** The table and its chains; those that are there stay. */
const skeleton = (): Request[] => [
  addTable({ ...TABLE, userData: [comment("masquerading of containers, by CNI plugins")] }),
  addChain({ ...CHECKS, userData: [comment("what leaves a container's own subnet is masqueraded")] }),
  addChain({
    ...POSTROUTING,
    base: { type: "nat", hook: hookNumber.postrouting, priority: SRCNAT, policy: NF_ACCEPT },
  }),
];

const postroutingRules = (): Request[] =>
  POSTROUTING_RULES.map((expressions) => addRule({ ...POSTROUTING, expressions }));

const setName = (owner: Owner, index: number): SetName => ({
  ...TABLE,
  set: `${attachmentMark(owner)}-${index}`,
});

/**
 * An anonymous set with the address, then its rule. In this order and right behind each other in one transaction:
 * the kernel numbers a table's objects as they come, so the rule's handle is the set's plus one.
 */
function addressRule(owner: Owner, index: number, prefix: Prefix): Request[] {
  const { family } = prefix.address;
  const set = { ...setName(owner, index), id: index + 1 };
  return [
    addSet(
      { ...set, key: [family === 4 ? "ipv4_addr" : "ipv6_addr"], anonymous: true, constant: true, size: 1 },
      { exclusive: true },
    ),
    addElements(set, [{ key: ipToBytes(prefix.address) }]),
    addRule({
      ...CHECKS,
      userData: [comment(nftablesComment(owner))],
      expressions: [
        ...ofFamily(family),
        ...matchSourceSet(family, set.set, set.id),
        ...matchAddress("destination", outside(networkOf(prefix))),
        { name: "masq" },
      ],
    }),
  ];
}

/** Sets are asked for in fours; most attachments have one address or two. */
const AT_ONCE = 4;

/** The attachment's rules that can be found by their sets' names. */
function rulesByName(connection: Connection, owner: Owner): FoundRule[] {
  const handles: bigint[] = [];
  for (let from = 0; ; from += AT_ONCE) {
    const requests = Array.from({ length: AT_ONCE }, (_, index) => getSet(setName(owner, from + index)));
    const sets = ask(connection, requests).flatMap((replies) => replies.map((reply) => decodeSet(reply)));
    handles.push(...sets.flatMap(({ handle }) => handle ?? []));
    if (sets.length < AT_ONCE) break;
  }
  if (handles.length === 0) return [];
  return ask(
    connection,
    handles.map((handle) => getRule({ ...CHECKS, handle: handle + 1n })),
  )
    .flatMap((replies) => replies.map((reply) => decodeRule(reply)))
    .filter((rule) => belongsTo(rule, attachmentMark(owner)));
}

const belongsTo = (rule: Rule, mark: string): boolean => commentOf(rule.userData)?.startsWith(mark) ?? false;

/** All rules of the attachment: found by name, or else, if there are rules of unknown sets at all, by their comments. */
function rulesOf(connection: Connection, owner: Owner): FoundRule[] {
  const named = rulesByName(connection, owner);
  if (named.length > 0) return named;
  const [[chain] = []] = ask(connection, [getChain(CHECKS)]);
  // The chain's use counts its rules and the rule of postrouting that leads here.
  if (chain === undefined || (decodeChain(chain).use ?? 0) <= 1) return [];
  return rulesIn(connection, CHECKS).filter((rule) => belongsTo(rule, attachmentMark(owner)));
}

/** What postrouting lacks, in words; undefined when packets reach the attachments' rules. */
function postroutingDamage(rules: readonly FoundRule[]): string | undefined {
  const at = rules.findIndex((rule) => leadsTo(rule, CHECKS.chain));
  if (at < 0) return `lacks the rule "goto ${CHECKS.chain}"`;
  for (const family of [4, 6] as const) {
    const spares = rules.slice(0, at).some((rule) => {
      const found = readAddressRule(rule.expressions, undefined);
      const { destination } = found ?? {};
      return (
        found?.action === "return" &&
        found.source === undefined &&
        destination?.inverted === false &&
        samePrefix(destination.prefix, MULTICAST[family])
      );
    });
    if (!spares) return `lacks the rule that spares multicast to ${formatPrefix(MULTICAST[family])}`;
  }
  return undefined;
}

/** Adds the attachment's rules, and the table where it is missing or damaged. @throws NetlinkError */
export function setUpNftables(connection: Connection, owner: Owner, addresses: readonly Prefix[]): void {
  if (addresses.length === 0) return;
  // From an ADD that was killed before anybody knew of it. Names of sets can't be taken again in one transaction.
  update(connection, () => {
    const left = rulesByName(connection, owner);
    return left.map((rule) => deleteRule(rule));
  });
  update(connection, () => {
    const damaged = postroutingDamage(rulesIn(connection, POSTROUTING)) !== undefined;
    return [
      ...(damaged ? [...skeleton(), flushChain(POSTROUTING), ...postroutingRules()] : []),
      ...addresses.flatMap((prefix, index) => addressRule(owner, index, prefix)),
    ];
  });
}

/** Why nftables cannot do it here, with the remedy; undefined when it can. Changes nothing, but takes 20 ms. */
export function nftablesProblem(connection: Connection | undefined): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq (family inet needs Linux 5.2 or later)";
  if (connection === undefined) return `this kernel has no netfilter; ${remedy}`;
  const example: Owner = { network: "", containerId: "", ifname: "" };
  const addresses: Prefix[] = ([4, 6] as const).map((family) => ({
    address: { family, value: 1n },
    length: 8,
  }));
  try {
    rehearse(connection, [
      ...skeleton(),
      ...postroutingRules(),
      ...addresses.flatMap((prefix, index) => addressRule(example, index, prefix)),
    ]);
    return undefined;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}; ${remedy}`;
  }
}

/** Removes the attachment's rules, whoever of the plugins has written them. @throws NetlinkError */
export function tearDownNftables(connection: Connection, owner: Owner): void {
  try {
    update(connection, () => rulesOf(connection, owner).map((rule) => deleteRule(rule)));
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}

/** Removes rules of the network's attachments that are not valid (G1). @throws NetlinkError */
export function collectNftables(
  connection: Connection,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
): void {
  const living = new Set(valid.map((attachment) => attachmentMark({ network, ...attachment })));
  const markLength = attachmentMark({ network, containerId: "", ifname: "" }).length;
  try {
    update(connection, () =>
      rulesIn(connection, CHECKS)
        .filter((rule) => belongsTo(rule, networkMark(network)))
        .filter((rule) => !living.has((commentOf(rule.userData) ?? "").slice(0, markLength)))
        .map((rule) => deleteRule(rule)),
    );
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}

/** What is lost or altered of the attachment's rules, in sentences (G17). @throws NetlinkError */
export function nftablesDamage(connection: Connection, owner: Owner, addresses: readonly Prefix[]): string[] {
  if (addresses.length === 0) return [];
  const where = `table ${TABLE.family} ${TABLE.table}`;
  const [[base] = []] = ask(connection, [getChain(POSTROUTING)]);
  const hook = base === undefined ? undefined : decodeChain(base).base;
  const entry =
    hook?.type !== "nat" || hook.hook !== hookNumber.postrouting
      ? "is missing, or no nat chain of the postrouting hook"
      : postroutingDamage(rulesIn(connection, POSTROUTING));
  const damage = entry === undefined ? [] : [`chain ${POSTROUTING.chain} of ${where} ${entry}`];
  const rules = rulesOf(connection, owner).map((rule) => masqueradedBy(connection, rule));
  for (const prefix of addresses) {
    const found = rules.some(
      (rule) =>
        rule !== undefined &&
        samePrefix(rule.source, { ...prefix, length: rule.source.length }) &&
        samePrefix(rule.own, networkOf(prefix)),
    );
    if (found) continue;
    const family = prefix.address.family === 4 ? "ip" : "ip6";
    damage.push(
      `chain ${CHECKS.chain} of ${where} lacks the rule "${family} saddr ${formatIp(prefix.address)} ` +
        `${family} daddr != ${formatPrefix(networkOf(prefix))} masquerade" of this attachment`,
    );
  }
  return damage;
}

/** Source and own subnet of a masquerade rule, of our form or the reference's; undefined for any other rule. */
function masqueradedBy(connection: Connection, rule: FoundRule): { source: Prefix; own: Prefix } | undefined {
  const read = readAddressRule(rule.expressions, undefined);
  if (read?.action !== "masquerade" || read.destination?.inverted !== true) return undefined;
  const source = sourceOf(connection, read);
  return source && { source, own: read.destination.prefix };
}

function sourceOf(connection: Connection, rule: AddressRule): Prefix | undefined {
  if (rule.source !== undefined) return rule.source.inverted ? undefined : rule.source.prefix;
  if (rule.sourceSet === undefined) return undefined;
  const elements = connection
    .dump(getElements({ ...TABLE, set: rule.sourceSet }))
    .flatMap((message) => decodeElements(message));
  const address = elements[0] && ipFromBytes(elements[0].key);
  return address && { address, length: address.family === 4 ? 32 : 128 };
}
