/** Requests for many rules of few shapes equal those that are encoded one by one. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { requestsFor } from "../../src/netfilter/iptables/nft-changes.ts";
import { encodeRule } from "../../src/netfilter/nftables/expressions.ts";
import { RuleStencils } from "../../src/netfilter/nftables/rule-stencils.ts";
import { chainRules } from "../../src/netfilter/portmap/iptables-layout.ts";
import { mappingRule } from "../../src/netfilter/portmap/nftables-layout.ts";
import type { Rule } from "../../src/netfilter/rule.ts";
import type { Request } from "../../src/netlink/connection.ts";
import { insertRule } from "../../src/netlink/nftables/rule.ts";
import { text } from "../../src/netlink/nftables/userdata.ts";
import { published } from "./portmap/published.ts";

const payloads = (requests: readonly Request[]) =>
  requests.map(({ type, flags, payload, action }) => ({ type, flags, action, bytes: payload.toHex() }));

test("M10, M11: of iptables", () => {
  fc.assert(
    fc.property(published, ({ family, each }) => {
      const place = { family: family === 4 ? "ip" : "ip6", table: "nat" } as const;
      const userData = [text(202, "mark")];
      const changes = chainRules(each, family).map(
        (rule) => ({ action: "append", chain: "CNI-DN-1", rule, userData }) as const,
      );
      // The first request of each adds the table.
      const alone = changes.flatMap((change) => requestsFor(place, [change], []).slice(1));
      expect(payloads(requestsFor(place, changes, []).slice(1))).toEqual(payloads(alone));
    }),
    { numRuns: 40 },
  );
});

test("M16: of nftables, and not those that go to another place", () => {
  fc.assert(
    fc.property(published, ({ family, each }) => {
      const stencils = new RuleStencils(each.mappings.length);
      const encodeInto = (chain: string) => (rule: Rule) =>
        insertRule({
          ...{ family: "inet", table: "t", chain, userData: [text(0, "c1")] },
          expressions: encodeRule(rule, "inet", { isNative: true }),
        });
      const address = { family, value: 0x0a010203n };
      const rules = each.mappings.map((one) => mappingRule(one, address));
      const places = ["one", "two"];
      const made = rules.flatMap((rule) =>
        places.map((place) => stencils.request(rule, { action: "insert", chain: place }, encodeInto(place))),
      );
      const alone = rules.flatMap((rule) => places.map((place) => encodeInto(place)(rule)));
      expect(payloads(made)).toEqual(payloads(alone));
    }),
    { numRuns: 40 },
  );
});
