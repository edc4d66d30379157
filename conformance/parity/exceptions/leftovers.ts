/** What the reference leaves behind and ours takes away. */

import type { ComparedStep } from "../comparison.ts";
import type { Exception } from "../exceptions.ts";
import { ABSENT, at, isTree, type Side, there } from "../tree.ts";

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
const RULES = /^host > (iptables|ip6tables|nft)( > (?!order$).*)?$/;

const onlyOwnRules = (side: Side): boolean => there(side) && holdsOnlyOwnRules(side);

/** The pair, and what the bridge has while a port of it has a carrier. */
const PAIR =
  /^(host > link > veth\(c\d eth\d\)|container > c\d > link > eth\d|host > link > cni0 > (flags > LOWER_UP|route|(route|address_of) > .*(fe80|ff00):\S*.*))$/;

const LEASE = /^file > \S+\/networks\/parity\/(10\.10\.0\.\d|fd00:10::\d)$/;

/** Whether the step is a DEL of a case whose name matches. */
const onDel =
  (names: RegExp) =>
  ({ parityCase, step }: ComparedStep): boolean =>
    names.test(parityCase.name) && /^DEL/.test(step.label);

/** Whether the step is the case's first DEL or comes after it. */
const sinceDel =
  (names: RegExp) =>
  ({ parityCase, step }: ComparedStep): boolean => {
    const labels = parityCase.steps.map(({ label }) => label);
    const first = labels.findIndex((label) => label.startsWith("DEL"));
    return names.test(parityCase.name) && first >= 0 && labels.indexOf(step.label) >= first;
  };

/** Whether the step is GC or comes after it. */
const sinceGc = ({ parityCase, step }: ComparedStep): boolean => {
  const labels = parityCase.steps.map(({ label }) => label);
  return (
    /^(GC: |host-local: GC$)/.test(parityCase.name) && labels.indexOf(step.label) >= labels.indexOf("GC")
  );
};

const UNREACHABLE =
  /^(ipMasq, .*|macspoofchk|DEL): (DEL without CNI_NETNS|CNI_NETNS (unset|empty)(, layer 2)?|namespace's path is .*|path .*|interface renamed)$/;

export const LEFTOVERS: readonly Exception[] = [
  {
    row: "G1",
    because: "GC removes rules, leases and interfaces of attachments that are not valid",
    path: new RegExp(`${RULES.source}|${PAIR.source}|${LEASE.source}`),
    reference: (side) => there(side) && (!isTree(side) || onlyOwnRulesOrNone(side)),
    ours: ABSENT,
    when: sinceGc,
  },
  {
    row: "A30",
    because: "DEL removes the pair by its host end where the container's can't be reached",
    path: PAIR,
    reference: there,
    ours: ABSENT,
    when: onDel(UNREACHABLE),
  },
  {
    row: "G15",
    because: "the lease is released although the namespace can't be opened",
    path: LEASE,
    reference: there,
    ours: ABSENT,
    when: onDel(
      /^DEL: (namespace's path is a (plain file|folder)|path below a file|path of another kind of namespace)$/,
    ),
  },
  {
    row: "L9",
    because: "host-local's DEL releases whatever the configuration says of ranges and requests now",
    path: LEASE,
    reference: there,
    ours: ABSENT,
    when: onDel(/^DEL with(out| wrong) ranges$/),
  },
  {
    row: "P8",
    because: "DEL deletes only a veth: an interface of another kind is somebody else's",
    path: "container > c1 > link > eth0",
    reference: ABSENT,
    ours: (side) => at(side, "kind") === "bridge",
    when: onDel(
      /^(DEL: interface deleted, another kind has its name|existing: the container has eth0, a bridge)$/,
    ),
  },
  {
    row: "P8",
    because: "DEL deletes no veth whose other end is in the container as well: it leads to no bridge",
    path: /^container > c1 > link > (eth0|other)$/,
    reference: ABSENT,
    ours: (side) => at(side, "kind") === "veth",
    when: onDel(/^existing: the container has eth0(, layer 2)?$/),
  },
  {
    row: "G7",
    because: "a failed ADD leaves everything as it was",
    path: /^host > link > veth\(c3 eth0\) > bridge port (id|no)$/,
    reference: /3$/,
    ours: /2$/,
    when: ({ parityCase }) => parityCase.name === "two networks on one bridge",
  },
  {
    row: "G16",
    because: "DEL of one interface keeps the other masqueraded",
    path: /^host > ip6?tables > (nat :CNI-[0-9a-f]{24} -|rules of nat (CNI-[0-9a-f]{24}|POSTROUTING)( > -A .*)?)$/,
    reference: (side, { reference }) => side === ABSENT || reference !== undefined,
    ours: (side) => side === ABSENT || side === 1 || holdsOnlyOwnRules(side),
    when: sinceDel(/^masquerade of three attachments, (default backend|iptables)$/),
  },
  {
    row: "G5",
    because: "DEL leaves no rule, chain or table of its own",
    path: RULES,
    reference: onlyOwnRules,
    ours: ABSENT,
    when: sinceDel(/^(ipMasq|macspoofchk|masquerade of three attachments)/),
  },
];

/** A branch of rules must be of own ones; other branches have been judged by their path. */
const onlyOwnRulesOrNone = (side: Side): boolean => {
  const isRules = isTree(side) && Object.keys(side).some((key) => /^(table|chain|rules of|-A|\{)/.test(key));
  return !isRules || holdsOnlyOwnRules(side);
};
