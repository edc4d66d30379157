/** The rules that may take a port of a call are selected among others by their bytes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { portChain } from "../../../src/netfilter/attachment-names.ts";
import { requestsFor } from "../../../src/netfilter/iptables/nft-changes.ts";
import { encodeRule } from "../../../src/netfilter/nftables/expressions.ts";
import { entryRules } from "../../../src/netfilter/portmap/iptables-layout.ts";
import { mappingRule } from "../../../src/netfilter/portmap/nftables-layout.ts";
import { entriesAmong, mappingsAmong } from "../../../src/netfilter/portmap/port-sieve.ts";
import type { Published } from "../../../src/netfilter/portmap/published.ts";
import { addRule } from "../../../src/netlink/nftables/rule.ts";

const address = { family: 4, value: 0x0a010203n } as const;
const publishing = (containerId: string, ports: readonly number[]): Published => ({
  ...{ network: "net1", containerId, ifname: "eth0", record: "", markBit: 13, conditions: {} },
  ...{ snat: true, masqAll: false, addresses: { 4: { address, length: 24 } } },
  mappings: ports.map((hostPort) => ({ protocol: "tcp", hostPort, containerPort: 1 })),
});
const ports = fc.uniqueArray(fc.integer({ min: 256, max: 300 }), { minLength: 1, maxLength: 20 });

test("M47: rules of iptables with one of the ports, or that lead to the container's chain", () => {
  fc.assert(
    fc.property(ports, ports, (own, others) => {
      const one = publishing("one", own);
      const sieve = entriesAmong(portChain(one), one, 4)();
      for (const [each, isOwn] of [
        [publishing("two", others), false] as const,
        [publishing("one", others), true] as const,
      ]) {
        const entries = entryRules(each);
        const changes = entries.map((rule) => ({ action: "append", chain: "c", rule }) as const);
        const requests = requestsFor({ family: "ip", table: "nat" }, changes, []).slice(1);
        const selected = requests.map(({ payload }) => sieve.message(payload));
        expect(selected).toEqual(
          entries.map((entry) => isOwn || entry.ports?.some((port) => own.includes(port)) === true),
        );
      }
    }),
  );
});

test("M47: rules of nftables with one of the ports", () => {
  fc.assert(
    fc.property(ports, ports, (own, others) => {
      const sieve = mappingsAmong(["a part"], publishing("one", own), 4)();
      for (const mapping of publishing("two", others).mappings) {
        const expressions = encodeRule(mappingRule(mapping, address), "ip", { isNative: true });
        const { payload } = addRule({ family: "ip", table: "t", chain: "c", expressions });
        expect(sieve.message(payload)).toBe(own.includes(mapping.hostPort));
        expect(sieve.datagram(payload)).toBe(own.includes(mapping.hostPort));
      }
    }),
  );
});
