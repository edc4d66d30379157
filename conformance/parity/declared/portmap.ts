/** What differs in the cases of portmap. */
import type { Deviation } from "../../engine/exceptions.ts";
import { ORDER } from "../../engine/state-tree.ts";
import { type Side, there } from "../../engine/tree.ts";
import { at, onlyOf } from "./one-side.ts";
import { factsOf, WRONG_CONFIGURATION } from "./outcomes.ts";

const CASES = /^portmap[:,]/;

/** Tables and chains that all attachments share, and their rules, in iptables and in nftables. */
const SHARED =
  /table nat|nat :([A-Z]+ ACCEPT|CNI-HOSTPORT-(DNAT|MASQ|SETMARK) -)|rules of nat (PREROUTING|OUTPUT|POSTROUTING|CNI-HOSTPORT-(MASQ|SETMARK))|-A (PREROUTING|OUTPUT|POSTROUTING) .*-j CNI-HOSTPORT-(DNAT|MASQ)|-A CNI-HOSTPORT-(MASQ|SETMARK) .*|(table|chain) \{"family":"ip6?",("table":"cni_hostport","name":".*|"name":"cni_hostport"\})|rules of ip6? cni_hostport (prerouting|output|hostports_all)|\{"family":"ip6?","table":"cni_hostport","chain":"(prerouting|output|hostports_all)".*|order/;
/** These and what belongs to one attachment. */
const ANY = new RegExp(
  `${SHARED.source}|nat :CNI-DN-\\w+ -|rules of nat CNI-(DN-\\w+|HOSTPORT-DNAT)|-A CNI-(DN-\\w+|HOSTPORT-DNAT) .*|rules of ip6? cni_hostport (hostports|masquerading)|\\{"family":"ip6?","table":"cni_hostport".*`,
);
const GUARD = /.*cni_hostport_guard.*|order/;

const isEnd = at(/^(DEL|GC)/);

const count = (side: Side): boolean => typeof side === "number";
const MASQUERADING = /^host > nft > rules of ip6? cni_hostport masquerading > /;
const masquerading = (rule: RegExp) => new RegExp(`${MASQUERADING.source}${rule.source}`);
const MASQUERADE = '\\{"masquerade":null\\}\\]\\}$';
const ADDRESS = '"field":"[sd]addr"\\}\\},"right":"[0-9a-f.:]+"\\}\\},';
const PREFIX = '"field":"saddr"\\}\\},"right":\\{"prefix":\\{[^}]+\\}\\}\\}\\},';
const OPERATOR = '\\{"match":\\{"op":"==","left":\\{"payload":\\{"protocol":"ip6?",';
const TRANSLATED = '\\{"match":\\{"op":"in","left":\\{"ct":\\{"key":"status"\\}\\},"right":"dnat"\\}\\},';
/** An address to itself. */
const ITSELF = new RegExp(`\\{.*"expr":\\[${OPERATOR}${ADDRESS}${OPERATOR}${ADDRESS}${MASQUERADE}`);
const SUBNET = new RegExp(
  `\\{.*"expr":\\[${OPERATOR}${PREFIX}${OPERATOR}${ADDRESS}${TRANSLATED}${MASQUERADE}`,
);
const EVERYBODY = new RegExp(`\\{.*"expr":\\[${OPERATOR}${ADDRESS}${TRANSLATED}${MASQUERADE}`);

const FACTS: readonly Deviation[] = [
  onlyOf("ours", GUARD, { row: "M53", cases: CASES }),
  {
    row: "M53",
    cases: CASES,
    path: "host > link > cni0 > sysctl > ipv4 route_localnet",
    reference: "1",
    ours: "0",
    when: isEnd,
  },
  onlyOf("reference", SHARED, { row: "P13", cases: CASES, when: isEnd }),
  ...(
    [
      ["M41", /, DEL with the other backend$/],
      ["M42", /, DEL without mappings$/],
      ["M40", /, STATUS and GC$/],
    ] as const
  ).map(([row, cases]) => onlyOf("reference", ANY, { row, cases, when: isEnd })),
  onlyOf("ours", ANY, { row: "M44", cases: /, two interfaces of a container$/, when: at(/^DEL$/) }),
  onlyOf("ours", ANY, {
    row: "M43",
    cases: /^portmap: nftables, two networks of a container$/,
    when: at(/^(DEL|CHECK other)$/),
  }),
  {
    row: "M47",
    because: "the newest mapping stands first",
    cases: /, two (containers, (one port|two ports)|(interfaces|networks) of a container)$/,
    path: new RegExp(
      `^host > (ip6?tables > rules of nat CNI-(HOSTPORT-DNAT|DN-\\w+)|nft > rules of ip6? cni_hostport hostports) > ${ORDER}$`,
    ),
    reference: there,
    ours: there,
  },
  {
    row: "M45",
    cases: /, ADD twice$/,
    path: /^host > (ip6?tables > rules of nat CNI-|nft > rules of ip6? cni_hostport hostports > ).*8080/,
    reference: 1,
    when: at(/^ADD again$/),
  },
  {
    row: "M45",
    cases: /^portmap: nftables, ADD twice$/,
    path: MASQUERADING,
    reference: 2,
    ours: 1,
    when: at(/^ADD again$/),
  },
  { row: "M51", cases: CASES, path: masquerading(ITSELF), reference: count },
  { row: "M51", cases: CASES, path: masquerading(SUBNET), ours: count },
  { row: "M52", cases: /^portmap: nftables, masqAll$/, path: masquerading(EVERYBODY), ours: count },
  ...[/hostports/, /(prerouting|output)/].flatMap((chain): Deviation[] => {
    const path = new RegExp(`^host > nft > rules of ip6? cni_hostport ${chain.source} > \\{`);
    const cases = /^portmap: .*condition/;
    return [
      { row: "M54", cases, path, reference: 1 },
      { row: "M54", cases, path, ours: 1 },
    ];
  }),
];

/** What CHECK of ours names, by the case. */
const LOSSES = {
  "iptables, no jump of PREROUTING": /chain PREROUTING of the nat table of iptables-nft lacks the rule/,
  "iptables, no jump of OUTPUT": /chain OUTPUT of the nat table of iptables-nft lacks the rule/,
  "iptables, no jump of POSTROUTING": /chain POSTROUTING of the nat table of iptables-nft lacks the rule/,
  "iptables, no mark": /chain CNI-HOSTPORT-SETMARK of the nat table of iptables-nft lacks the rule/,
  "iptables, no masquerade": /chain CNI-HOSTPORT-MASQ of the nat table of iptables-nft lacks the rule/,
  "iptables, no route_localnet":
    /route_localnet of cni0 is 0, so 127\.0\.0\.1 does not lead to the container/,
  "nftables, no entry of prerouting": /chain prerouting of table ip cni_hostport lacks the rule/,
  "nftables, no entry of output": /chain output of table ip cni_hostport lacks the rule/,
  "nftables, hostports_all is empty": /chain hostports_all of table ip cni_hostport lacks the rule/,
  "nftables, another address": /has no rule that leads port 8080\/tcp to 10\.10\.0\.2:80/,
} as const;

export const PORTMAP_EXCEPTIONS: readonly Deviation[] = [
  ...FACTS,
  ...[
    ...Object.entries(LOSSES).map(([name, ours]) => ({
      row: "M55",
      cases: new RegExp(`^portmap, CHECK: ${name}$`),
      steps: /^CHECK$/,
      ours,
    })),
    {
      row: "M43",
      cases: /^portmap: nftables, two networks of a container$/,
      steps: /^CHECK other$/,
      reference: /^missing hostport rules in "hostports" chain$/,
    },
    {
      row: "A31",
      cases: /^portmap, wrong: keys$/,
      steps: /^DEL/,
      reference: new RegExp(`${WRONG_CONFIGURATION.source}|^failed to parse config: `),
    },
  ].flatMap(factsOf),
];
