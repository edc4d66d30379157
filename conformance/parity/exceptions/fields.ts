/** Facts that differ wherever they occur. */
import type { ComparedStep } from "../comparison.ts";
import type { Exception } from "../exceptions.ts";
import { inCases, isCall, versionOf } from "../situation.ts";
import { ORDER } from "../state-tree.ts";
import { ABSENT, at, isTree, type Side, there } from "../tree.ts";

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

export const FIELDS: readonly Exception[] = [
  {
    row: "A17",
    because: "an error names the cniVersion",
    path: "error > cniVersion",
    reference: ABSENT,
    ours: /^\d\.\d\.\d$/,
  },
  {
    row: "H50",
    because: "the lock has the leases' mode",
    path: /^file > \S+\/lock > mode$/,
    reference: "750",
    ours: "600",
  },
  {
    row: "P1",
    because: "a host veth keeps the kernel's queue length: the reference's library sets 0 unasked",
    path: "host > link > * > txqlen",
    reference: ABSENT,
    ours: 1000,
  },
  ...(
    [
      [/ > sysctl > ipv6 disable_ipv6$/, "0", "1"],
      [/ > address_of > fe80::mac\(veth of [^)]*\)\/64( > .*)?$/, there, ABSENT],
      [/ > route > [a-z]+ [a-z]+ (fe80:|ff00:).*$/, there, ABSENT],
      [/ > route$/, hasOnlyItsOwnIPv6, ABSENT],
    ] as const
  ).map(
    ([path, reference, ours]): Exception => ({
      row: "P9",
      because:
        "a port of the bridge speaks no IPv6 itself, so that a link's start does not take longer for each",
      path: new RegExp(`^host > link > veth\\([^)]*\\)${path.source}`),
      reference,
      ours,
    }),
  ),
  ...["ipv4 arp_notify", "ipv6 ndisc_notify"].map(
    (setting): Exception => ({
      row: "K17",
      because: "a bridge tells its ports where its addresses are: they may remember another owner",
      path: new RegExp(`^host > link > (cni|br)[^ ]+ > sysctl > ${setting}$`),
      reference: "0",
      ours: "1",
      when: (compared) => !isCall(compared, "ADD") || hasGateway(compared),
    }),
  ),
  {
    row: "K17",
    because: "an IPv6 address is announced as one of IPv4: peers may remember another owner",
    path: /^container > \w+ > link > \S+ > sysctl > ipv6 ndisc_notify$/,
    reference: "0",
    ours: "1",
  },
  {
    row: "K16",
    because: "forwarding that is on already stays as it is: 2 lets the host hear routers",
    path: /^host > (link > \S+ > sysctl > ipv6 forwarding|link > veth\([^)]*\) > sysctl > ipv6 forwarding|sysctl > ipv6\/conf\/(all|default)\/forwarding)$/,
    reference: "1",
    ours: "2",
    when: inCases(/^IPv6 forwarding is 2$/),
  },
  {
    row: "K20",
    because: "ADD waits until the spanning tree lets the port pass frames",
    path: /^host > link > (cni0 > (bridge ageing_time|flags > LOWER_UP|route > (local multicast ff00|main unicast fe80)::.*)|veth\(c1 eth0\) > (bridge port state|port > state))$/,
    reference: (side) => side === ABSENT || side === "listening" || side === 30000,
    ours: there,
    when: inCases(/^existing: bridge with STP$/),
  },
  {
    row: "K18",
    because: "a route of a family without an address leads nowhere, and is left out",
    path: /^(stdout > routes|container > c1 > link > eth0 > route > main unicast fd00:99::\/64 metric 1024)$/,
    reference: there,
    ours: ABSENT,
    when: inCases(/^routes: family of no address$/),
  },
  {
    row: "P2",
    because: "a call that takes no lease makes no directory for leases",
    path: /^file > \S+\/networks(\/parity(\/lock|\/last_reserved_ip\.0)?)?$/,
    reference: (side) =>
      /^\{"kind":"(folder","mode":"755|file","mode":"750","content":"|file","mode":"600","content":"10\.10\.0\.2)"\}$/.test(
        JSON.stringify(side),
      ),
    ours: ABSENT,
    when: ({ ours }) => at(ours, "file", "/var/lib/cni/networks") === ABSENT,
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
  ...(
    [
      [`${EUI}/64`, "address_of"],
      [`local local ${EUI} metric 0`, "route"],
    ] as const
  ).flatMap(([key, kind]): Exception[] => {
    const fixed = (path: string) => path.replace("mac(?)", "mac(*)");
    return [
      {
        row: "G21",
        because: "the bridge's link-local address is that of its fixed MAC, not of one it had for a moment",
        path: new RegExp(`^host > link > (cni|br)\\S+ > ${kind} > ${literal(key)}$`),
        reference: there,
        ours: ABSENT,
      },
      {
        row: "G21",
        because: "the bridge's link-local address is that of its fixed MAC, not of one it had for a moment",
        path: new RegExp(
          `^host > link > ((cni|br)\\S+) > ${kind} > ${literal(fixed(key)).replace("\\*", "\\1")}$`,
        ),
        reference: ABSENT,
        ours: there,
      },
    ];
  }),
  {
    row: "G24",
    because: "an address without duplicate address detection is not tentative while the link is down",
    path: /^container > \w+ > link > \w+ > address_of > fd\S+ > tentative$/,
    reference: true,
    ours: ABSENT,
    when: ({ step }) => /^(meanwhile|mutation|CHECK|DEL|DEL again)$/.test(step.label),
  },
  {
    row: "G18",
    because: "a route's mtu and advmss are applied",
    path: /^container > c1 > link > eth0 > route > main unicast (10\.99\.0\.0\/16|fd00:99::\/64 metric 1024) > metrics$/,
    reference: ABSENT,
    ours: (side) => JSON.stringify(side) === '{"0":{"mtu":1300,"advmss":1200}}',
    when: inCases(/^routes: mtu and advmss(, IPv6)?$/),
  },
  {
    row: "G22",
    because: "the mtu of a bridge without ports is raised",
    path: /^host > link > cni0 > (mtu|sysctl > ipv6 mtu)$/,
    reference: (side) => String(side) === "1300",
    ours: (side) => String(side) === "1500",
    when: inCases(/^existing: bridge with a smaller mtu, mtu 1500$/),
  },
  {
    row: "G11",
    because: "the prevResult of a plugin before comes out, behind ours",
    path: /^stdout > (interfaces|ips|routes|dns)( > .*)?$/,
    reference: (_side, { reference }) => at(reference, "stdout", "interfaces", "3") === ABSENT,
    ours: (_side, { ours }) => passesOn(at(ours, "stdout")),
    when: inCases(/^the result of a plugin before comes as prevResult$/),
  },
  {
    row: "A21",
    because: "loopback's result has the form of its version: the reference always prints that of 1.0.0",
    path: /^stdout > (dns|interfaces|ips|ip4|ip6|ips > [01] > version)$/,
    reference: (side, { reference }) =>
      side === ABSENT || at(reference, "stdout", "ips", "0", "version") === ABSENT,
    ours: (side) =>
      side === ABSENT || /^("[46]"|\{("ip":"(127\.0\.0\.1\/8|::1\/128)")?\})$/.test(JSON.stringify(side)),
    when: (compared) =>
      /^loopback: version 0\.[1-4]\.[01]$/.test(compared.parityCase.name) && isCall(compared, "ADD"),
  },
  {
    row: "L11",
    because: "a network address is never handed out",
    path: /^(stdout > ips > 0 > address|file > \S+\/(last_reserved_ip\.0 > content|10\.10\.0\.[02]|fd00:10::2?))$/,
    reference: (side) =>
      side === ABSENT || /"(10\.10\.0\.0|fd00:10::)(\/\d+)?"|id-c1/.test(JSON.stringify(side)),
    ours: (side) => side === ABSENT || /"(10\.10\.0\.2|fd00:10::2)(\/\d+)?"|id-c1/.test(JSON.stringify(side)),
    when: inCases(/^host-local: start at the network address(, IPv6)?$/),
  },
  {
    row: "L2",
    because: "an empty file is no lease: its address is free",
    path: /^(stdout > ips > 0 > address|file > \S+\/(last_reserved_ip\.0 > content|10\.10\.0\.2( > (content|mode))?|10\.10\.0\.3))$/,
    reference: (side) =>
      /^("10\.10\.0\.3(\/24)?"|""|"644"|\{"kind":"file","mode":"6[04][04]","content":"(id-c1\\r\\neth0)?"\})$/.test(
        JSON.stringify(side),
      ),
    ours: (side) =>
      side === ABSENT || /^("10\.10\.0\.2(\/24)?"|"id-c1\\r\\neth0"|"600")$/.test(JSON.stringify(side)),
    when: inCases(/^host-local: empty file in the way$/),
  },
  {
    row: "H53",
    because: "the old format is only the fallback for an attachment without a lease of its own",
    path: "file > /var/lib/cni/networks/parity/10.10.0.2",
    reference: ABSENT,
    ours: (side) => at(side, "content") === "id-c1",
    when: inCases(/^DEL: a lease in the old format$/),
  },
  {
    row: "P3",
    because:
      "a route of link scope gets no gateway: with one the kernel refuses it (IPv4) or ignores the scope (IPv6)",
    path: /./,
    reference: () => true,
    ours: (_side, compared) => hasLinkRoute(compared),
    when: inCases(/^routes: scope link(, no gateway)?$/),
  },
  {
    row: "P3",
    because:
      "a route of link scope gets no gateway: with one the kernel refuses it (IPv4) or ignores the scope (IPv6)",
    path: "container > c1 > link > eth0 > route > main unicast fd00:99::/64 metric 1024 > gateway",
    reference: "fd00:10::1",
    ours: ABSENT,
    when: inCases(/^routes: scope link, IPv6$/),
  },
  {
    row: "L11",
    because: "a broadcast address is never handed out",
    path: "file > /var/lib/cni/networks/parity/last_reserved_ip.0",
    reference: (side) => at(side, "content") === "10.10.0.255",
    ours: ABSENT,
    when: inCases(/^host-local, wrong: start beyond the default end$/),
  },
  {
    row: "P4",
    because: "a key that the plugin does not read is not judged",
    path: /^(container > c1 > link > lo > .*|file > \/var\/lib\/cni\/networks(\/parity(\/lock|\/last_reserved_ip\.0)?)?)$/,
    reference: (side) => side === ABSENT || side === "noop",
    ours: there,
    when: inCases(/^(loopback: wrong types|host-local, wrong: type)$/),
  },
  {
    row: "P5",
    because: 'an empty "bridge" or "ipMasqBackend" is one left out',
    path: /^(host > iptables|host > link > cni0|file > \S+\/10\.10\.0\.2)$/,
    reference: ABSENT,
    ours: there,
    when: inCases(/^bad configuration: (bridge|ipMasqBackend) empty$/),
  },
  {
    row: "A8",
    because: "the plugin's own namespace is refused before anything is touched",
    path: /^host > link > lo > (address_of > .*|flags > (LOWER_)?UP|operstate|route > .*)$/,
    reference: ABSENT,
    ours: there,
    when: ({ parityCase, step }) =>
      /^CNI_NETNS: the plugin's own(, not permitted with yes)?$/.test(parityCase.name) &&
      step.label === "loopback DEL",
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
    (isOurs): Exception => ({
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
