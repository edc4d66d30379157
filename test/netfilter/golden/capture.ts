/**
 * Captures tables of iptables-legacy with getsockopt(2): struct ipt_getinfo, then the entries, in hexadecimal.
 * Needs root:  bun test/netfilter/golden/capture.ts
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { getsockopt, socket } from "../../../src/sys/socket.ts";
import { outputOf } from "../../support/command.ts";
import { isolated } from "../../support/isolation.ts";

const RULES = {
  4: {
    program: "iptables-legacy-restore",
    subnet: "10.1.2.0/23",
    multicast: "224.0.0.0/4",
    address: "10.1.2.3",
  },
  6: {
    program: "ip6tables-legacy-restore",
    subnet: "fd00:1::/60",
    multicast: "ff00::/8",
    address: "fd00:1::3",
  },
} as const;

/** One rule of each kind: ours, and those of other programs, which must not be read as ours. */
const rulesFor = ({ subnet, multicast, address }: (typeof RULES)[4 | 6]): string => {
  const comment = `-m comment --comment "name: \\"net\\" id: \\"cid\\""`;
  return [
    "*nat",
    ":CNI-chain - [0:0]",
    ":OTHER - [0:0]",
    ":EMPTY - [0:0]",
    ":PORTS - [0:0]",
    `-A PREROUTING -d ${address} -p tcp --dport 80 -j OTHER`,
    `-A POSTROUTING -s ${address} ${comment} -j CNI-chain`,
    `-A POSTROUTING -s ${address} -o lo -j CNI-chain`,
    `-A POSTROUTING ! -s ${subnet} -j MASQUERADE --random`,
    `-A POSTROUTING -j RETURN`,
    `-A POSTROUTING -m mark --mark 1 -j ACCEPT`,
    `-A CNI-chain -d ${subnet} ${comment} -j ACCEPT`,
    `-A CNI-chain ! -d ${multicast} ${comment} -j MASQUERADE`,
    `-A CNI-chain -s ${address} -m comment --comment "a note"`,
    `-A OTHER -j ACCEPT`,
    ...portRules(address.includes(":") ? `[${address}]` : address, subnet),
    "COMMIT",
    "",
  ].join("\n");
};

/** As the portmap plugin has them; the last one has a range of ports. */
const portRules = (host: string, subnet: string): string[] => [
  "-A OUTPUT -m addrtype --dst-type LOCAL -j PORTS",
  '-A PORTS -p tcp -m comment --comment "name" -m multiport --dports 8080,8082 -j OTHER',
  `-A PORTS -s ${subnet} -p tcp -m tcp --dport 8080 -j OTHER`,
  `-A PORTS -p udp -m udp --dport 8053 -j DNAT --to-destination ${host}:53`,
  `-A PORTS -p sctp -m sctp --dport 8081 -j DNAT --to-destination ${host}:81`,
  '-A PORTS -m comment --comment "a mark" -j MARK --set-xmark 0x2000/0x2000',
  "-A CNI-chain -m mark --mark 0x2000/0x2000 -j MASQUERADE",
  "-A PORTS -p udp -m udp --dport 8053:8054 -j OTHER",
];

/** The rules of the firewall plugin, and others that resemble them. */
const filterRulesFor = ({ address }: (typeof RULES)[4 | 6]): string =>
  [
    "*filter",
    ":FORWARD DROP [0:0]",
    ":CNI-FORWARD - [0:0]",
    "-A INPUT -j ACCEPT",
    `-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD`,
    `-A CNI-FORWARD -d ${address} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-A CNI-FORWARD -s ${address} -j ACCEPT`,
    `-A CNI-FORWARD -i br0 -o br0 -m comment --comment "a note" -j DROP`,
    `-A CNI-FORWARD -i br0 ! -o br0 -m comment --comment "a note" -j RETURN`,
    `-A CNI-FORWARD -i br+ -j ACCEPT`,
    `-A CNI-FORWARD ! -i br0 -j ACCEPT`,
    `-A CNI-FORWARD -m conntrack ! --ctstate DNAT -j ACCEPT`,
    "COMMIT",
    "",
  ].join("\n");

const [family, table = ""] = process.argv.slice(2);
if (family === undefined) {
  for (const version of [4, 6] as const) {
    const { program } = RULES[version];
    for (const [name, rules] of [
      ["nat", rulesFor(RULES[version])],
      ["filter", filterRulesFor(RULES[version])],
    ] as const) {
      const script = `printf '%s' '${rules}' | ${program} && ${process.execPath} ${import.meta.path} ${version} ${name}`;
      const hex = await outputOf(isolated(["/bin/sh", "-c", script]));
      const head = [...rules.trimEnd().split("\n"), (await outputOf([program, "--version"])).trim()];
      const lines = [...head.map((line) => `# ${line}`), hex, ""];
      writeFileSync(join(import.meta.dir, `legacy-${name}-v${version}.hex`), lines.join("\n"));
    }
  }
} else {
  const [domain, level] = family === "4" ? [2, 0] : [10, 41];
  const fd = socket(domain, 3, 255);
  const info = new Uint8Array(84);
  info.set(new TextEncoder().encode(table));
  getsockopt(fd, level, 64, info);
  const size = new DataView(info.buffer).getUint32(80, true);
  const entries = new Uint8Array(40 + size);
  entries.set(info.subarray(0, 32));
  new DataView(entries.buffer).setUint32(32, size, true);
  getsockopt(fd, level, 65, entries);
  process.stdout.write(info.toHex() + entries.subarray(40).toHex());
}
