/** What iptables-legacy-restore is given. */
import { expect, test } from "bun:test";
import type { IpAddress } from "../../src/net/ip.ts";
import { exactly } from "../../src/netfilter/address-rule.ts";
import { linesOf } from "../../src/netfilter/iptables/legacy-table.ts";
import { note, type Step } from "../../src/netfilter/iptables/state.ts";

const address: IpAddress = { family: 4, value: 0x0a010203n };
const attachment = { network: "net1", containerId: "c1", ifname: "eth0" };
const comment = 'name: "net1" id: "c1"';
const jump = { source: exactly(address), comment, action: { jump: "CNI-x" } };
const accept = { comment, action: "accept" } as const;
const text = '-m comment --comment "name: \\"net1\\" id: \\"c1\\"';

const CASES: readonly [Step, readonly string[]][] = [
  [{ kind: "add chain" }, [":CNI-x - [0:0]"]],
  [{ kind: "append", rule: accept }, [`-A CNI-x ${text}" -j ACCEPT`]],
  [{ kind: "insert", rule: accept }, [`-I CNI-x ${text}" -j ACCEPT`]],
  [
    { kind: "add jump", rule: jump, attachment },
    [
      `-A POSTROUTING -s 10.1.2.3/32 ${text}" -j CNI-x`,
      // The note says the interface, and does nothing.
      `-A CNI-x -s 10.1.2.3/32 ${text} if: \\"eth0\\""`,
    ],
  ],
  [{ kind: "delete rule", rule: { rule: accept } }, [`-D CNI-x ${text}" -j ACCEPT`]],
  [
    { kind: "delete jump", jump: { rule: jump, note: { rule: note(attachment, jump.source) } } },
    [`-D POSTROUTING -s 10.1.2.3/32 ${text}" -j CNI-x`, `-D CNI-x -s 10.1.2.3/32 ${text} if: \\"eth0\\""`],
  ],
  [{ kind: "delete jump", jump: { rule: jump } }, [`-D POSTROUTING -s 10.1.2.3/32 ${text}" -j CNI-x`]],
  // A rule of someone else has no words here.
  [{ kind: "delete rule", rule: { rule: undefined } }, []],
  [{ kind: "delete chain" }, ["-F CNI-x", "-X CNI-x"]],
];

test.each(CASES.map(([step, lines]) => [step.kind, step, lines] as const))("%s", (_, step, lines) => {
  expect(linesOf("CNI-x", step)).toEqual([...lines]);
});
