/** Rules that are read beside others of their shape are read as by themselves. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { indexOfBytes } from "#engine";
import { requestsFor } from "../../src/netfilter/iptables/nft-changes.ts";
import { encodeRule } from "../../src/netfilter/nftables/expressions.ts";
import { RuleSamples } from "../../src/netfilter/nftables/rule-samples.ts";
import { chainRules } from "../../src/netfilter/portmap/iptables-layout.ts";
import { mappingRule } from "../../src/netfilter/portmap/nftables-layout.ts";
import { exactly, type Rule } from "../../src/netfilter/rule.ts";
import { DecodeError } from "../../src/netlink/error.ts";
import type { Message } from "../../src/netlink/message.ts";
import { addRule } from "../../src/netlink/nftables/rule.ts";
import { published } from "./portmap/published.ts";

/** A rule's message as in a dump: the kernel adds the rule's number. */
function listed(payload: Uint8Array, handle: number): Message {
  const number = Uint8Array.of(12, 0, 3, 0, 0, 0, 0, 0, 0, 0, handle >>> 8, handle);
  const bytes = Uint8Array.of(...payload, ...number);
  return { type: 0, flags: 0, sequence: 0, port: 0, payload: bytes };
}

function readOf(samples: RuleSamples, message: Message): unknown {
  try {
    return samples.read(message);
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}

/** In some of the messages one byte is changed: such a rule is another one. */
const damage = fc.array(fc.record({ message: fc.nat(200), at: fc.nat(600), bit: fc.nat(7) }), {
  maxLength: 10,
});

test("M23, M55: rules of published ports, and rules that look like them", () => {
  fc.assert(
    fc.property(published, damage, ({ family, each }, changes) => {
      const table = family === 4 ? "ip" : "ip6";
      const address = { family, value: 0x0a010203n };
      const ofIptables = requestsFor(
        { family: table, table: "nat" },
        chainRules(each, family).map((rule) => ({ action: "append", chain: "CNI-DN-1", rule })),
        [],
      ).slice(1);
      const ofNftables = each.mappings.map((mapping) =>
        addRule({
          ...{ family: table, table: "cni_hostport", chain: "hostports" },
          expressions: encodeRule(mappingRule(mapping, address), table, { isNative: true }),
        }),
      );
      const messages = [...ofIptables, ...ofNftables].map(({ payload }, index) => listed(payload, index));
      for (const { message, at, bit } of changes) {
        const { payload } = messages[message] ?? {};
        if (payload !== undefined && at < payload.length) payload[at] = (payload[at] ?? 0) ^ (1 << bit);
      }
      const samples = new RuleSamples();
      for (const message of messages) {
        expect(readOf(samples, message)).toEqual(readOf(new RuleSamples(), message));
      }
    }),
    { numRuns: 40 },
  );
});

test("M23: only the first rule of a shape is decoded; one with a range of ports has another shape", () => {
  const rule = {
    source: exactly({ family: 4, value: 0x7f000001n }),
    protocol: "tcp",
    verdict: "jump",
  } as const;
  const changes = [8080, 9090, 0x1234].map(
    (port) => ({ action: "append", chain: "c", rule: { ...rule, port, target: "mark" } }) as const,
  );
  const requests = requestsFor({ family: "ip", table: "nat" }, changes, []).slice(1);
  const messages = requests.map(({ payload }, index) => listed(payload, index));
  // The first and the last port of struct xt_tcp, in host order.
  const { payload = new Uint8Array() } = messages[2] ?? {};
  const at = indexOfBytes(payload, Uint8Array.of(0x34, 0x12, 0x34, 0x12));
  payload[at + 2] = 0x35;
  const samples = new RuleSamples();
  const [first, second, third] = messages.map((message) => samples.read(message));
  expect([first?.rule.port, second?.rule.port]).toEqual([8080, 9090]);
  expect(second?.rule.source).toBe(first?.rule.source as NonNullable<Rule["source"]>);
  expect([first?.isWhole, second?.isWhole, third?.isWhole]).toEqual([true, true, false]);
});
