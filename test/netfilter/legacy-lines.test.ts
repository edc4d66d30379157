/** The lines that iptables-legacy-restore gets. */
import { expect, test } from "bun:test";
import type { IpAddress } from "../../src/net/ip.ts";
import { marker } from "../../src/netfilter/iptables/chain-state.ts";
import type { Change } from "../../src/netfilter/iptables/change.ts";
import { linesOf } from "../../src/netfilter/iptables/legacy-changes.ts";
import { exactly } from "../../src/netfilter/rule.ts";

const address: IpAddress = { family: 4, value: 0x0a010203n };
const attachment = { network: "net1", containerId: "c1", ifname: "eth0" };
const comment = 'name: "net1" id: "c1"';
const jump = { source: exactly(address), comment, verdict: "jump", target: "CNI-x" } as const;
const accept = { comment, verdict: "accept" } as const;
const text = '-m comment --comment "name: \\"net1\\" id: \\"c1\\"';

const CASES: readonly [string, Change, readonly string[]][] = [
  ["add a chain", { action: "add chain", chain: "CNI-x" }, [":CNI-x - [0:0]"]],
  ["append", { action: "append", chain: "CNI-x", rule: accept }, [`-A CNI-x ${text}" -j ACCEPT`]],
  ["insert", { action: "insert", chain: "CNI-x", rule: accept }, [`-I CNI-x ${text}" -j ACCEPT`]],
  [
    "append a jump",
    { action: "append", chain: "POSTROUTING", rule: jump, attachment },
    [
      `-A POSTROUTING -s 10.1.2.3/32 ${text}" -j CNI-x`,
      // The marker rule names the interface.
      `-A CNI-x -s 10.1.2.3/32 ${text} if: \\"eth0\\""`,
    ],
  ],
  [
    "delete a jump",
    { action: "delete", rule: { chain: "POSTROUTING", rule: jump } },
    [`-D POSTROUTING -s 10.1.2.3/32 ${text}" -j CNI-x`],
  ],
  [
    "delete a marker rule",
    { action: "delete", rule: { chain: "CNI-x", rule: marker(attachment, jump.source) } },
    [`-D CNI-x -s 10.1.2.3/32 ${text} if: \\"eth0\\""`],
  ],
  // A rule of another program has no text here.
  ["delete a rule of others", { action: "delete", rule: { chain: "CNI-x", rule: undefined } }, []],
  ["delete a chain", { action: "delete chain", chain: "CNI-x" }, ["-F CNI-x", "-X CNI-x"]],
];

test.each(CASES)("%s", (_, change, lines) => {
  expect(linesOf(change)).toEqual([...lines]);
});
