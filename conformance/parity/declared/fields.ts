/** Facts that differ wherever they occur. */
import type { ComparedStep } from "../../engine/comparison.ts";
import { type Deviation, isCall, versionOf } from "../../engine/exceptions.ts";

import { ORDER } from "../../engine/state-tree.ts";
import { ABSENT, at, isTree, type Side, there } from "../../engine/tree.ts";

/** An interface of a result has the mtu that the link of that name has. */
const reportsItsMtu = (side: Side, ours: Side, index: string): boolean => {
  const name = String(at(ours, "stdout", "interfaces", index, "name"));
  const containers = at(ours, "container");
  const namespaces: Side[] = [at(ours, "host"), ...(isTree(containers) ? Object.values(containers) : [])];
  const links = namespaces.map((namespace) => at(namespace, "link", name));
  return links.some((link) => at(link, "mtu") === side);
};

/** All interfaces of a result that came as prevResult, and ours with the address that refers to it. */
const passesOn = (stdout: Side): boolean =>
  ["cni0", "veth(c1 eth0)", "eth0", "other0"].every(
    (name, index) => at(stdout, "interfaces", String(index), "name") === name,
  ) &&
  at(stdout, "ips", "0", "interface") === 2 &&
  at(stdout, "ips", "1", "address") === "192.0.2.7/24" &&
  at(stdout, "ips", "1", "interface") === 3 &&
  at(stdout, "routes", "0", "dst") === "198.51.100.0/24" &&
  at(stdout, "dns", "domain") === "before.org";

/** ADD and CHECK succeed and the route is there; DEL succeeds and leaves no interface. */
function hasLinkRoute({ step, ours }: ComparedStep): boolean {
  if (at(ours, "exit") !== 0) return false;
  const link = at(ours, "container", "c1", "link", "eth0");
  if (step.label.startsWith("DEL")) return link === ABSENT;
  const route = at(link, "route", "main unicast 10.99.0.0/16");
  return at(route, "scope") === "link" && at(route, "gateway") === ABSENT;
}

const MASQUERADE =
  /^host > nft > rules of inet cni_plugins_masquerade masq_checks > \{.*"right":"[0-9a-f.:]+"\}\}.*"masquerade":null\}\]\}$/;
const MASQUERADE_BY_SET =
  /^host > nft > rules of inet cni_plugins_masquerade masq_checks > \{.*"right":\{"set":\["[0-9a-f.:]+"\]\}\}\}.*"masquerade":null\}\]\}$/;

/** Whether the masquerade rules are the same but for the set that the source stands in. */
function sameRules(reference: Side, ours: Side): boolean {
  const rules = (side: Side) => {
    const chain = at(side, "rules of inet cni_plugins_masquerade masq_checks");
    return isTree(chain) ? Object.keys(chain).filter((rule) => rule !== ORDER) : [];
  };
  const plain = rules(ours).map((rule) => rule.replace(/\{"set":\[("[^"]+")\]\}/, "$1"));
  return JSON.stringify(rules(reference).sort()) === JSON.stringify(plain.sort());
}

const hasOnlyItsOwnIPv6 = (routes: Side): boolean =>
  isTree(routes) && Object.keys(routes).every((route) => / (fe80:|ff00:)/.test(route));

/** Ours is a host with a bridge that has an address, beside its own of link scope. */
function hasGateway({ ours }: ComparedStep): boolean {
  const links = at(ours, "host", "link");
  const bridges = isTree(links) ? Object.keys(links).filter((name) => /^(cni|br)/.test(name)) : [];
  return bridges.some((bridge) => {
    const addresses = at(links, bridge, "address_of");
    return isTree(addresses) && Object.keys(addresses).some((address) => !address.startsWith("fe80::mac("));
  });
}

const EUI = "fe80::mac(?)";

export const FIELDS: readonly Deviation[] = [
  {
    row: "S2",
    cases: /^static: CNI_ARGS GATEWAY, of the configuration$/,
    path: "stdout > ips > 0 > gateway",
    reference: "10.10.0.1",
    ours: "10.10.0.9",
  },
  { row: "A17", path: "error > cniVersion", ours: /^\d\.\d\.\d$/ },
  {
    row: "H50",
    because: "the lock has the leases' mode",
    path: /^file > \S+\/lock > mode$/,
    reference: "750",
    ours: "600",
  },
  { row: "P1", path: "host > link > * > txqlen", ours: 1000 },
  ...(
    [
      [/ > sysctl > ipv6 disable_ipv6$/, "0", "1"],
      [/ > address_of > fe80::mac\(veth of [^)]*\)\/64( > .*)?$/, there, ABSENT],
      [/ > route$/, hasOnlyItsOwnIPv6, ABSENT],
    ] as const
  ).map(
    ([path, reference, ours]): Deviation => ({
      row: "P9",
      path: new RegExp(`^host > link > veth\\([^)]*\\)${path.source}`),
      reference,
      ours,
    }),
  ),
  ...["ipv4 arp_notify", "ipv6 ndisc_notify"].map(
    (setting): Deviation => ({
      row: "K17",
      path: new RegExp(`^host > link > (cni|br)[^ ]+ > sysctl > ${setting}$`),
      reference: "0",
      ours: "1",
      when: (compared) => !isCall(compared, "ADD") || hasGateway(compared),
    }),
  ),
  {
    row: "K17",
    path: /^container > \w+ > link > \S+ > sysctl > ipv6 ndisc_notify$/,
    reference: "0",
    ours: "1",
  },
  {
    row: "K16",
    path: /^host > (link > \S+ > sysctl > ipv6 forwarding|link > veth\([^)]*\) > sysctl > ipv6 forwarding|sysctl > ipv6\/conf\/(all|default)\/forwarding)$/,
    reference: "1",
    ours: "2",
    cases: /^IPv6 forwarding is 2$/,
  },
  {
    row: "K20",
    because: "ADD waits until the spanning tree lets the port pass frames",
    path: /^host > link > (cni0 > (bridge ageing_time|flags > LOWER_UP|route > (local multicast ff00|main unicast fe80)::.*)|veth\(c1 eth0\) > (bridge port state|port > state))$/,
    reference: (side) => side === ABSENT || side === "listening" || side === 30000,
    ours: there,
    cases: /^existing: bridge with STP$/,
  },
  {
    row: "K18",
    path: /^(stdout > routes|container > c1 > link > eth0 > route > main unicast fd00:99::\/64 metric 1024)$/,
    reference: there,
    cases: /^routes: family of no address$/,
  },
  {
    row: "P2",
    path: /^file > \S+\/networks(\/net(\/lock|\/last_reserved_ip\.0)?)?$/,
    reference: (side) =>
      /^\{"kind":"(folder","mode":"755|file","mode":"750","content":"|file","mode":"600","content":"10\.10\.0\.2)"\}$/.test(
        JSON.stringify(side),
      ),
    when: ({ ours }) => at(ours, "file", "/var/lib/cni/networks") === ABSENT,
  },
  ...["0", "1", "2"].map(
    (index): Deviation => ({
      row: "G18",
      path: `stdout > interfaces > ${index} > mtu`,
      ours: (side, { ours }) => reportsItsMtu(side, ours, index),
      when: (compared) => isCall(compared, "ADD") && versionOf(compared) === "1.1.0",
    }),
  ),
  { row: "G1", path: "host > link > * > ifalias", ours: /^bridgehead:[^/]+\/[^/]+\/[^/]+$/ },
  {
    row: "G24",
    because: "an IPv6 address needs no duplicate address detection unless enabledad",
    path: /^(host|container > \w+) > link > \S+ > address_of > (?!fe80::mac)\S+ > nodad$/,
    ours: true,
  },
  {
    row: "G21",
    path: "host > link > * > address",
    reference: /^(mac\(veth of .*\)|00:00:00:00:00:00)$/,
    ours: /^mac\((cni|br)[\w.-]+\)$/,
  },
  {
    row: "G21",
    path: "stdout > interfaces > 0 > mac",
    reference: /^mac\(veth of .*\)$/,
    ours: /^mac\((cni|br)[\w.-]+\)$/,
  },
  {
    row: "G21",
    path: "host > link > * > fdb",
    ours: (side) => /^\{"mac\((cni|br)[\w.-]+\) \{[^}]*\}":true\}$/.test(JSON.stringify(side)),
  },
  ...(
    [
      [`${EUI}/64`, "address_of"],
      [`local local ${EUI} metric 0`, "route"],
    ] as const
  ).flatMap(([key, kind]): Deviation[] => {
    const fixed = (path: string) => path.replace("mac(?)", "mac(*)");
    return [
      {
        row: "G21",
        path: new RegExp(`^host > link > (cni|br)\\S+ > ${kind} > ${literal(key)}$`),
        reference: there,
      },
      {
        row: "G21",
        path: new RegExp(
          `^host > link > ((cni|br)\\S+) > ${kind} > ${literal(fixed(key)).replace("\\*", "\\1")}$`,
        ),
        ours: there,
      },
    ];
  }),
  {
    row: "G24",
    because: "an address without duplicate address detection is not tentative while the link is down",
    path: /^container > \w+ > link > \w+ > address_of > fd\S+ > tentative$/,
    reference: true,
  },
  {
    row: "G18",
    path: /^container > c1 > link > eth0 > route > main unicast (10\.99\.0\.0\/16|fd00:99::\/64 metric 1024) > metrics$/,
    ours: (side) => JSON.stringify(side) === '{"0":{"mtu":1300,"advmss":1200}}',
    cases: /^routes: mtu and advmss(, IPv6)?$/,
  },
  {
    row: "G22",
    path: /^host > link > cni0 > (mtu|sysctl > ipv6 mtu)$/,
    reference: (side) => String(side) === "1300",
    ours: (side) => String(side) === "1500",
    cases: /^existing: bridge with a smaller mtu, mtu 1500$/,
  },
  {
    row: "G11",
    path: /^stdout > (interfaces|ips|routes|dns)( > .*)?$/,
    reference: (_side, { reference }) => at(reference, "stdout", "interfaces", "3") === ABSENT,
    ours: (_side, { ours }) => passesOn(at(ours, "stdout")),
    cases: /^the result of a plugin before comes as prevResult$/,
  },
  {
    row: "A21",
    path: /^stdout > (dns|interfaces|ips|ip4|ip6|ips > [01] > version)$/,
    reference: (side, { reference }) =>
      side === ABSENT || at(reference, "stdout", "ips", "0", "version") === ABSENT,
    ours: (side) =>
      side === ABSENT || /^("[46]"|\{("ip":"(127\.0\.0\.1\/8|::1\/128)")?\})$/.test(JSON.stringify(side)),
    when: (compared) => /^loopback: version 0\.[1-4]\.[01]$/.test(compared.name) && isCall(compared, "ADD"),
  },
  {
    row: "L11",
    path: /^(stdout > ips > 0 > address|file > \S+\/(last_reserved_ip\.0 > content|10\.10\.0\.[02]|fd00:10::2?))$/,
    reference: (side) =>
      side === ABSENT || /"(10\.10\.0\.0|fd00:10::)(\/\d+)?"|id-c1/.test(JSON.stringify(side)),
    ours: (side) => side === ABSENT || /"(10\.10\.0\.2|fd00:10::2)(\/\d+)?"|id-c1/.test(JSON.stringify(side)),
    cases: /^host-local: start at the network address(, IPv6)?$/,
  },
  {
    row: "L2",
    path: /^(stdout > ips > 0 > address|file > \S+\/(last_reserved_ip\.0 > content|10\.10\.0\.2( > (content|mode))?|10\.10\.0\.3))$/,
    reference: (side) =>
      /^("10\.10\.0\.3(\/24)?"|""|"644"|\{"kind":"file","mode":"6[04][04]","content":"(id-c1\\r\\neth0)?"\})$/.test(
        JSON.stringify(side),
      ),
    ours: (side) =>
      side === ABSENT || /^("10\.10\.0\.2(\/24)?"|"id-c1\\r\\neth0"|"600")$/.test(JSON.stringify(side)),
    cases: /^host-local: empty file in the way$/,
  },
  {
    row: "H53",
    path: "file > /var/lib/cni/networks/net/10.10.0.2",
    ours: (side) => at(side, "content") === "id-c1",
    cases: /^DEL: a lease in the old format$/,
  },
  {
    row: "P3",
    path: /./,
    reference: () => true,
    ours: (_side, compared) => hasLinkRoute(compared),
    cases: /^routes: scope link(, no gateway)?$/,
  },
  {
    row: "P3",
    path: "container > c1 > link > eth0 > route > main unicast fd00:99::/64 metric 1024 > gateway",
    reference: "fd00:10::1",
    cases: /^routes: scope link, IPv6$/,
  },
  {
    row: "L11",
    path: "file > /var/lib/cni/networks/net/last_reserved_ip.0",
    reference: (side) => at(side, "content") === "10.10.0.255",
    cases: /^host-local, wrong: start beyond the default end$/,
  },
  {
    row: "P4",
    path: /^(container > c1 > link > lo > .*|file > \/var\/lib\/cni\/networks(\/net(\/lock|\/last_reserved_ip\.0)?)?)$/,
    reference: (side) => side === ABSENT || side === "noop",
    ours: there,
    cases: /^(loopback: wrong types|host-local, wrong: type)$/,
  },
  {
    row: "P5",
    path: /^(host > iptables|host > link > cni0|file > \S+\/10\.10\.0\.2)$/,
    ours: there,
    cases: /^bad configuration: (bridge|ipMasqBackend) empty$/,
  },
  {
    row: "A8",
    path: /^host > link > lo > (address_of > .*|flags > (LOWER_)?UP|operstate|route > .*)$/,
    ours: there,
    when: ({ name, step }) =>
      /^CNI_NETNS: the plugin's own(, not permitted with yes)?$/.test(name) && step.label === "loopback DEL",
  },
  // Masquerade and spoof check
  {
    row: "B28",
    because: "traffic to every own subnet is accepted before anything is masqueraded",
    path: /^host > ip6?tables > rules of nat CNI-[0-9a-f]{24} > order$/,
    reference: /-j ACCEPT\n.*-j MASQUERADE\n.*-j ACCEPT$/,
    ours: /-j ACCEPT\n.*-j ACCEPT\n.*-j MASQUERADE$/,
  },
  ...[true, false].map(
    (isOurs): Deviation => ({
      row: "G5",
      because:
        "the source stands in a set that has the attachment's name, by which DEL finds the rule at once",
      path: isOurs ? MASQUERADE_BY_SET : MASQUERADE,
      reference: isOurs ? ABSENT : 1,
      ours: isOurs ? 1 : ABSENT,
      when: ({ reference, ours }) => sameRules(at(reference, "host", "nft"), at(ours, "host", "nft")),
    }),
  ),
  {
    row: "L6",
    path: /^file > \S+\/\.bridgehead$/,
    ours: (side) => JSON.stringify(side) === '{"kind":"folder","mode":"700"}',
  },
  {
    row: "L6",
    path: /^file > \S+\/\.bridgehead\/[^/ ]+\.index$/,
    ours: (side) => JSON.stringify(side) === '{"kind":"file","mode":"600","content":"(binary)"}',
  },
];

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
