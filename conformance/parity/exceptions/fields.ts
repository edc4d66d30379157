/** Facts that differ wherever they occur. */
import type { Exception } from "../exceptions.ts";
import { ABSENT, at, isTree, type Side } from "../tree.ts";
import { isCall, versionOf } from "../situation.ts";

/** An interface of a result has the mtu that the link of that name has. */
const reportsItsMtu = (side: Side, ours: Side, index: string): boolean => {
  const name = String(at(ours, "stdout", "interfaces", index, "name"));
  const containers = at(ours, "container");
  const namespaces: Side[] = [at(ours, "host"), ...(isTree(containers) ? Object.values(containers) : [])];
  const links = namespaces.map((namespace) => at(namespace, "link", name));
  return links.some((link) => at(link, "mtu") === side);
};

const EUI = "fe80::mac(?)";

export const FIELDS: readonly Exception[] = [
  {
    row: "A17",
    because: "an error names the cniVersion",
    path: "error > cniVersion",
    reference: ABSENT,
    ours: /^\d\.\d\.\d$/,
  },
  ...["0", "1", "2"].map(
    (index): Exception => ({
      row: "G18",
      because: "a result of 1.1.0 tells the interfaces' mtu",
      path: `stdout > interfaces > ${index} > mtu`,
      reference: ABSENT,
      ours: (side, { ours }) => reportsItsMtu(side, ours, index),
      when: (compared) => isCall(compared, "ADD") && versionOf(compared) === "1.1.0",
    }),
  ),
  {
    row: "G1",
    because: "a host veth carries its owner in its alias, so that GC can tell it stale",
    path: "host > link > * > ifalias",
    reference: ABSENT,
    ours: /^bridgehead:[^/]+\/[^/]+\/[^/]+$/,
  },
  {
    row: "G24",
    because: "an IPv6 address needs no duplicate address detection unless enabledad",
    path: /^(host|container > \w+) > link > \S+ > address_of > (?!fe80::mac)\S+ > nodad$/,
    reference: ABSENT,
    ours: true,
  },
  {
    row: "G21",
    because: "the bridge's MAC is fixed: no port's, and not lost with the last port",
    path: "host > link > * > address",
    reference: /^(mac\(veth of .*\)|00:00:00:00:00:00)$/,
    ours: /^mac\((cni|br)[\w.-]+\)$/,
  },
  {
    row: "G21",
    because: "the result tells the fixed MAC",
    path: "stdout > interfaces > 0 > mac",
    reference: /^mac\(veth of .*\)$/,
    ours: /^mac\((cni|br)[\w.-]+\)$/,
  },
  {
    row: "G21",
    because: "the bridge's forwarding table has its fixed MAC",
    path: "host > link > * > fdb",
    reference: ABSENT,
    ours: (side) => /^\{"mac\((cni|br)[\w.-]+\) \{[^}]*\}":true\}$/.test(JSON.stringify(side)),
  },
  ...([
    [`${EUI}/64`, "address_of"],
    [`local local ${EUI} metric 0`, "route"],
  ] as const).flatMap(([key, kind]): Exception[] => {
    const fixed = (path: string) => path.replace("mac(?)", "mac(*)");
    return [
      {
        row: "G21",
        because: "the bridge's link-local address is that of its fixed MAC, not of one it had for a moment",
        path: new RegExp(`^host > link > (cni|br)\\S+ > ${kind} > ${literal(key)}$`),
        reference: (side) => side !== ABSENT,
        ours: ABSENT,
      },
      {
        row: "G21",
        because: "the bridge's link-local address is that of its fixed MAC, not of one it had for a moment",
        path: new RegExp(`^host > link > ((cni|br)\\S+) > ${kind} > ${literal(fixed(key)).replace("\\*", "\\1")}$`),
        reference: ABSENT,
        ours: (side) => side !== ABSENT,
      },
    ];
  }),
  {
    row: "L6",
    because: "an index beside the leases keeps their cost flat",
    path: /^file > \S+\/\.bridgehead$/,
    reference: ABSENT,
    ours: (side) => JSON.stringify(side) === '{"kind":"folder","mode":"700"}',
  },
  {
    row: "L6",
    because: "an index beside the leases keeps their cost flat",
    path: /^file > \S+\/\.bridgehead\/[^/ ]+\.index$/,
    reference: ABSENT,
    ours: (side) => JSON.stringify(side) === '{"kind":"file","mode":"600","content":"(binary)"}',
  },
];

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
