/** What differs in the cases of tuning. */
import type { Deviation } from "../../engine/exceptions.ts";
import { ABSENT, type Side, there } from "../../engine/tree.ts";
import { factsOf, WRONG_CONFIGURATION } from "./outcomes.ts";

const CASES = /^tuning[:,]/;
const FILE = /^file > \S+\/id-c1_(eth0|net1|eth0\.5)\.json > content$/;
/** As the reference writes it. */
const STATE = /^\{\n( "\w+": [^\n]+\n)+\}$/;

/** A file of ours whose settings are those that the reference has, or these. */
const saved =
  (wanted?: string) =>
  (ours: Side, { differences }: Parameters<Exclude<Deviation["when"], undefined>>[0]) => {
    const { bridgehead, ...state } = JSON.parse(String(ours)) as { bridgehead?: { network?: string } };
    const text = JSON.stringify(state, undefined, 1);
    const reference = differences.find((difference) => difference.ours === ours)?.reference;
    return bridgehead?.network === "net" && text === (wanted ?? reference);
  };

const FIELDS: readonly Deviation[] = [
  {
    row: "T33",
    because: "only root can list the saved settings, and the folders of other programs stay readable",
    cases: CASES,
    path: /^file > (\/run\/cni(\/tuning)?|\/run\/conformance\/files\/deep(\/er)?) > mode$/,
    reference: "600",
    ours: /^7[05][05]$/,
  },
  {
    row: "T34",
    because: "the file says which interface of which namespace it is for",
    cases: CASES,
    path: FILE,
    reference: STATE,
    ours: saved(),
  },
  {
    row: "T32",
    cases: /^tuning: ADD twice$/,
    path: FILE,
    reference: '{\n "mtu": 1400\n}',
    ours: saved('{\n "mtu": 1500\n}'),
  },
  ...(
    [
      ["T32", /^tuning: ADD twice$/, "1400", "1500"],
      ["T34", /^tuning: DEL in another namespace of the same path$/, "1500", "1300"],
    ] as const
  ).map(
    ([row, cases, reference, ours]): Deviation => ({
      row,
      cases,
      path: /^container > c1 > link > eth0 > (mtu|sysctl > ipv6 mtu)$/,
      reference: (side) => String(side) === reference,
      ours: (side) => String(side) === ours,
    }),
  ),
  {
    row: "T33",
    cases: /^tuning: (DEL |a broken file$|STATUS and GC$)/,
    path: "file > /run/cni/tuning/id-c1_eth0.json",
    reference: there,
    ours: ABSENT,
  },
  {
    row: "T36",
    cases: /^tuning: MAC (in capitals|with dashes)$/,
    path: "stdout > interfaces > 1 > mac",
    reference: /^02[:-]00[:-]5[eE][:-]10[:-]00[:-]0[aA]$/,
    ours: "02:00:5e:10:00:0a",
  },
];

export const TUNING_EXCEPTIONS: readonly Deviation[] = [
  ...FIELDS,
  ...[
    {
      row: "A31",
      cases: /^tuning(: unknown CNI_ARGS$|, wrong: )/,
      steps: /^DEL/,
      reference: WRONG_CONFIGURATION,
    },
    {
      row: "T35",
      cases:
        /^tuning(: (MAC (in capitals|with dashes)|sysctl of two values with a blank|promisc false)|, CHECK: promisc of another program)$/,
      steps: /^CHECK$/,
      reference:
        /^Error: Tuning (configured Ethernet of|configured value of \S+ip_local_port_range|link eth0 configured promisc is false)/,
    },
    {
      row: "T40",
      cases: /^tuning: STATUS and GC$/,
      steps: /^STATUS, (not allowed|wrong)$/,
      ours: /^(Sysctl net\.ipv4\.conf\.IFNAME\.arp_filter is not allowed|cannot decode: key "mtu" must be)/,
    },
    {
      row: "T38",
      cases: /^tuning, allowlist: with slashes$/,
      steps: /^with dots$/,
      reference: /^Sysctl net\/ipv4\/conf\/IFNAME\/arp_filter is not allowed/,
    },
    {
      row: "T38",
      cases: /^tuning, allowlist: with slashes$/,
      steps: /^with slashes$/,
      ours: /^Sysctl net\/ipv4\/conf\/IFNAME\/arp_filter is not allowed/,
    },
  ].flatMap(factsOf),
];
