/** What the reference leaves behind and ours takes away. */
import type { ComparedStep } from "../../engine/comparison.ts";
import type { Deviation } from "../../engine/exceptions.ts";
import { ABSENT, at, isTree, type Side, there } from "../../engine/tree.ts";

/** Whether one of the reference's own rules, chains and tables; nothing of anybody else may go. */
const isOwnRule = (key: string): boolean =>
  /^(table nat|nat :(PREROUTING|INPUT|OUTPUT|POSTROUTING) ACCEPT|nat :CNI-[0-9a-f]{24} -|rules of nat (CNI-[0-9a-f]{24}|POSTROUTING))$/.test(
    key,
  ) ||
  /^-A CNI-[0-9a-f]{24} /.test(key) ||
  /^-A POSTROUTING -s \S+ -m comment --comment "name: .*" -j CNI-[0-9a-f]{24}$/.test(key) ||
  /^table \{"family":("inet","name":"cni_plugins_masquerade"|"bridge","name":"nat")\}$/.test(key) ||
  /^chain \{"family":("inet","table":"cni_plugins_masquerade"|"bridge","table":"nat","name":"(PREROUTING"|cni-br-iface-))/.test(
    key,
  ) ||
  /^rules of (inet cni_plugins_masquerade |bridge nat (PREROUTING$|cni-br-iface-))/.test(key) ||
  /^\{"family":("inet","table":"cni_plugins_masquerade"|"bridge","table":"nat","chain":"(PREROUTING"|cni-br-iface-))/.test(
    key,
  ) ||
  key === "order";

const holdsOnlyOwnRules = (side: Side): boolean =>
  !isTree(side) || Object.entries(side).every(([key, item]) => isOwnRule(key) && holdsOnlyOwnRules(item));

/** Rules below `host > iptables` and so on, where only the reference has any. */
export const RULES = /^host > (iptables|ip6tables|nft)( > (?!order$).*)?$/;

export const onlyOwnRules = (side: Side): boolean => there(side) && holdsOnlyOwnRules(side);

/** The pair, and what the bridge has while a port of it has a carrier. */
export const PAIR =
  /^(host > link > veth\(c\d eth\d\)|container > c\d > link > eth\d|host > link > cni0 > (flags > LOWER_UP|route|(route|address_of) > .*(fe80|ff00):\S*.*))$/;

const LEASE = /^file > \S+\/networks\/net\/(10\.10\.0\.\d|fd00:10::\d)$/;

/** Whether the step is a DEL of a case whose name matches. */
const onDel =
  (names: RegExp) =>
  ({ name, step }: ComparedStep): boolean =>
    names.test(name) && /^DEL/.test(step.label);

/** Whether the step is the case's first DEL or comes after it. */
const sinceDel =
  (names: RegExp) =>
  ({ name, labels, step }: ComparedStep): boolean => {
    const first = labels.findIndex((label) => label.startsWith("DEL"));
    return names.test(name) && first >= 0 && labels.indexOf(step.label) >= first;
  };

/** Whether the step is GC or comes after it. */
const sinceGc = ({ name, labels, step }: ComparedStep): boolean => {
  return /^(GC: |host-local: GC$)/.test(name) && labels.indexOf(step.label) >= labels.indexOf("GC");
};

const UNREACHABLE =
  /^(ipMasq, .*|macspoofchk|DEL): (DEL without CNI_NETNS|CNI_NETNS (unset|empty)(, layer 2)?|namespace's path is .*|path .*|interface renamed)$/;

export const LEFTOVERS: readonly Deviation[] = [
  {
    row: "G1",
    path: new RegExp(`${RULES.source}|${PAIR.source}|${LEASE.source}`),
    reference: (side) => there(side) && (!isTree(side) || onlyOwnRulesOrNone(side)),
    when: sinceGc,
  },
  { row: "A30", path: PAIR, reference: there, when: onDel(UNREACHABLE) },
  {
    row: "G15",
    path: LEASE,
    reference: there,
    when: onDel(
      /^DEL: (namespace's path is a (plain file|folder)|path below a file|path of another kind of namespace)$/,
    ),
  },
  { row: "L9", path: LEASE, reference: there, when: onDel(/^DEL with(out| wrong) ranges$/) },
  {
    row: "P8",
    path: "container > c1 > link > eth0",
    ours: (side) => at(side, "kind") === "bridge",
    when: onDel(
      /^(DEL: interface deleted, another kind has its name|existing: the container has eth0, a bridge)$/,
    ),
  },
  {
    row: "P8",
    path: /^container > c1 > link > (eth0|other)$/,
    ours: (side) => at(side, "kind") === "veth",
    when: onDel(/^existing: the container has eth0(, layer 2)?$/),
  },
  {
    row: "G7",
    path: /^host > link > veth\(c3 eth0\) > bridge port (id|no)$/,
    reference: /3$/,
    ours: /2$/,
    when: ({ name }) => name === "two networks on one bridge",
  },
  {
    row: "G16",
    path: /^host > ip6?tables > (nat :CNI-[0-9a-f]{24} -|rules of nat (CNI-[0-9a-f]{24}|POSTROUTING)( > -A .*)?)$/,
    reference: (side, { reference }) => side === ABSENT || reference !== undefined,
    ours: (side) => side === ABSENT || side === 1 || holdsOnlyOwnRules(side),
    when: sinceDel(/^masquerade of three attachments, (default backend|iptables)$/),
  },
  {
    row: "G5",
    path: RULES,
    reference: onlyOwnRules,
    when: sinceDel(/^(ipMasq|macspoofchk|masquerade of three attachments)/),
  },
];

/** A branch of rules must be of own ones; other branches have been judged by their path. */
const onlyOwnRulesOrNone = (side: Side): boolean => {
  const isRules = isTree(side) && Object.keys(side).some((key) => /^(table|chain|rules of|-A|\{)/.test(key));
  return !isRules || holdsOnlyOwnRules(side);
};
