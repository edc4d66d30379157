/** What differs in the cases of firewall. */
import type { Deviation } from "../../engine/exceptions.ts";
import { at, onlyOf } from "./one-side.ts";
import { factsOf, WRONG_CONFIGURATION } from "./outcomes.ts";

const CASES = /^firewall[:,]/;

/** Chains that all attachments of a bridge share, and their rules. */
const SHARED =
  /table filter|filter :([A-Z]+ ACCEPT|CNI-(FORWARD|ADMIN|ISOLATION-STAGE-[12]) -|NOMAD-ADMIN -|Ab{27} -)|rules of filter (FORWARD|CNI-FORWARD|CNI-ISOLATION-STAGE-[12])|-A FORWARD .*|-A CNI-FORWARD -m comment .*|-A CNI-ISOLATION-STAGE-[12] .*|order/;
/** These and the rules of an address. */
const ANY = new RegExp(`${SHARED.source}|-A CNI-FORWARD .*`);

const isEnd = at(/^(DEL|GC)/);

const FACTS: readonly Deviation[] = [
  {
    row: "F32",
    cases: /, published connections$/,
    path: /^host > ip6?tables > rules of filter CNI-FORWARD > -A CNI-FORWARD -d \S+ -m conntrack --ctstate DNAT -j ACCEPT$/,
    ours: 1,
  },
  onlyOf("reference", SHARED, { row: "F33", cases: CASES, when: isEnd }),
  onlyOf("reference", /rules of filter CNI-ISOLATION-STAGE-1|-A CNI-ISOLATION-STAGE-1 .*/, {
    row: "F33",
    cases: /^firewall: another policy$/,
  }),
  {
    row: "F33",
    because: "the rule that records the policy of an attachment is written anew with it",
    cases: /^firewall: another policy$/,
    path: /^host > ip6?tables > rules of filter CNI-FORWARD > order$/,
    reference: /RELATED,ESTABLISHED -j ACCEPT\n-A CNI-FORWARD -s \S+ -j ACCEPT$/,
    ours: /-A CNI-FORWARD -s \S+ -j ACCEPT\n-A CNI-FORWARD -d \S+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT$/,
  },
  onlyOf("reference", ANY, { row: "F30", cases: /^firewall: DEL without prevResult$/, when: isEnd }),
  onlyOf("reference", ANY, { row: "F31", cases: /^firewall: STATUS and GC$/, when: isEnd }),
  onlyOf("reference", SHARED, { row: "F34", cases: /^firewall, CHECK: nothing was added$/ }),
  onlyOf("reference", ANY, { row: "F40", cases: /^firewall: an address of another interface$/ }),
  onlyOf("reference", ANY, { row: "F42", cases: /^firewall, wrong: misspelt backend$/ }),
  onlyOf("reference", ANY, {
    row: "F38",
    cases: /^firewall, wrong: a policy, a port is the first interface$/,
  }),
  {
    row: "F39",
    cases: /^firewall: .*(isolated|ADD twice|another policy)/,
    path: /^host > link > veth\(c\d eth0\) > (port > isolated|bridge port isolated)$/,
    reference: false,
    ours: true,
  },
];

export const FIREWALL_EXCEPTIONS: readonly Deviation[] = [
  ...FACTS,
  ...[
    {
      row: "F34",
      cases: /^firewall, CHECK: no isolation$/,
      steps: /^CHECK$/,
      ours: /chain CNI-ISOLATION-STAGE-1 of the filter table of iptables-nft lacks the rule/,
    },
    {
      row: "F42",
      cases: /^firewall, wrong: misspelt backend$/,
      steps: /^ADD$/,
      ours: /^invalid backend "iptable" \(must be "iptables" or "nftables" or "firewalld"\)$/,
    },
    {
      row: "F38",
      cases: /^firewall, wrong: a policy, a port is the first interface$/,
      steps: /^ADD$/,
      ours: /^ingressPolicy needs a bridge: interfaces\[0\] "port2" is a veth/,
    },
    {
      row: "A31",
      cases: /^firewall(: DEL with an unknown policy|, wrong: keys)$/,
      steps: /^DEL/,
      reference: new RegExp(`${WRONG_CONFIGURATION.source}|^unknown ingress policy: |dial unix `),
    },
    {
      row: "F30",
      because: "DEL needs no previous result",
      cases: /^firewall, wrong: prevResult$/,
      steps: /^DEL/,
      reference: /^(could not|failed to) /,
    },
  ].flatMap(factsOf),
];
