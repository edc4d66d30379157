/** What ADD and DEL change in the nat table, with an attachment's interface in user data or in marker rules. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Attachment } from "../../src/cni/attachment.ts";
import { formatIp } from "../../src/net/ip.ts";
import { contains, networkOf, type Prefix, parsePrefix } from "../../src/net/prefix.ts";
import { iptablesChain, iptablesComment } from "../../src/netfilter/attachment-names.ts";
import { planSetUp, planTearDown } from "../../src/netfilter/masquerade/iptables-plan.ts";
import { exactly, MULTICAST } from "../../src/netfilter/rule.ts";
import { FakeNatTable } from "./fake-nat-table.ts";

const attachment = (ifname: string, containerId = "c1"): Attachment => ({
  network: "net1",
  containerId,
  ifname,
});
const chain = iptablesChain(attachment("eth0"));
const comment = '-m comment --comment "name: \\"net1\\" id: \\"c1\\""';

const prefixes = (...texts: string[]): Prefix[] =>
  texts.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(text);
    return prefix;
  });

const add = (table: FakeNatTable, who: Attachment, ...addresses: string[]) =>
  table.update(iptablesChain(who), planSetUp(who, 4, prefixes(...addresses)));
const del = (table: FakeNatTable, who: Attachment) => table.update(iptablesChain(who), planTearDown(who));

/** The rules that the reference writes for one address. */
function addLikeReference(table: FakeNatTable, address: string, who = attachment("")): void {
  const [prefix] = prefixes(address);
  if (prefix === undefined) throw new Error(address);
  const chain = iptablesChain(who);
  const text = iptablesComment(who);
  table.append(chain, {
    destination: { prefix: networkOf(prefix), inverted: false },
    comment: text,
    verdict: "accept",
  });
  table.append(chain, {
    destination: { prefix: MULTICAST[4], inverted: true },
    comment: text,
    verdict: "masquerade",
  });
  table.append("POSTROUTING", {
    source: exactly(prefix.address),
    comment: text,
    verdict: "jump",
    target: chain,
  });
}

describe.each([
  ["interfaces in user data", false],
  ["interfaces in marker rules", true],
])("%s", (_, keepsMarkers) => {
  const fresh = () => new FakeNatTable(keepsMarkers);

  test("B28: the first ADD writes chain, rules and jumps", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24", "10.1.2.4/24", "10.9.0.1/16");
    expect(table.listing).toEqual([
      `-A ${chain} -d 10.1.2.0/24 ${comment} -j ACCEPT`,
      `-A ${chain} -d 10.9.0.0/16 ${comment} -j ACCEPT`,
      `-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
      `-A POSTROUTING -s 10.1.2.3/32 ${comment} -j ${chain}`,
      `-A POSTROUTING -s 10.1.2.4/32 ${comment} -j ${chain}`,
      `-A POSTROUTING -s 10.9.0.1/32 ${comment} -j ${chain}`,
    ]);
    expect(table.writes).toBe(1);
  });

  test("a repeated ADD writes nothing, a DEL removes everything, a repeated DEL writes nothing", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    add(table, attachment("eth0"), "10.1.2.3/24");
    expect(table.writes).toBe(1);
    del(table, attachment("eth0"));
    expect([table.listing, table.chains]).toEqual([[], []]);
    del(table, attachment("eth0"));
    expect(table.writes).toBe(2);
  });

  test("an ADD with other addresses replaces the earlier ones", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    add(table, attachment("eth0"), "10.1.3.3/24");
    expect(table.listing.filter((line) => line.startsWith("-A POSTROUTING"))).toEqual([
      `-A POSTROUTING -s 10.1.3.3/32 ${comment} -j ${chain}`,
    ]);
  });

  test("G16: the DEL of one interface keeps the other masqueraded", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    add(table, attachment("eth1"), "10.1.7.3/24");
    del(table, attachment("eth0"));
    expect(table.listing).toEqual([
      `-A ${chain} -d 10.1.7.0/24 ${comment} -j ACCEPT`,
      `-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`,
      `-A POSTROUTING -s 10.1.7.3/32 ${comment} -j ${chain}`,
    ]);
    // Also if it is repeated, or is for an interface that never existed.
    del(table, attachment("eth0"));
    del(table, attachment("eth9"));
    expect(table.listing.length).toBe(3);
    del(table, attachment("eth1"));
    expect([table.listing, table.chains]).toEqual([[], []]);
  });

  test("G16: the DEL of one interface keeps a subnet that both share", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    add(table, attachment("eth1"), "10.1.2.4/24");
    expect(table.listing.filter((line) => line.includes("ACCEPT")).length).toBe(1);
    del(table, attachment("eth0"));
    expect(table.listing[0]).toBe(`-A ${chain} -d 10.1.2.0/24 ${comment} -j ACCEPT`);
  });

  test("the accept rule of a second interface is inserted before the masquerade rule", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    add(table, attachment("eth1"), "10.1.7.3/24");
    const inChain = table.listing.filter((line) => line.startsWith(`-A ${chain}`));
    expect(inChain.findIndex((line) => line.includes("10.1.7.0/24"))).toBeLessThan(
      inChain.findIndex((line) => line.includes("MASQUERADE")),
    );
  });

  test("an accept rule after the masquerade rule counts as missing", () => {
    const table = fresh();
    addLikeReference(table, "10.1.2.3/24");
    addLikeReference(table, "10.1.7.3/24");
    add(table, attachment("eth0"), "10.1.2.3/24", "10.1.7.3/24");
    expect(table.listing[0]).toBe(`-A ${chain} -d 10.1.7.0/24 ${comment} -j ACCEPT`);
  });

  test("a chain without rules, as `iptables -F` leaves it, is filled again and deleted", () => {
    const flushed = (): FakeNatTable => {
      const table = fresh();
      add(table, attachment("eth0"), "10.1.2.3/24");
      table.remove(() => true);
      return table;
    };
    const again = flushed();
    add(again, attachment("eth0"), "10.1.2.3/24");
    expect(again.listing.length).toBe(3);
    const gone = flushed();
    del(gone, attachment("eth0"));
    expect(gone.chains).toEqual([]);
  });

  test("G5: rules of the reference are removed, by their comments alone", () => {
    const table = fresh();
    addLikeReference(table, "10.1.2.3/24");
    del(table, attachment("eth0"));
    expect([table.listing, table.chains]).toEqual([[], ["POSTROUTING"]]);
  });

  test("an ADD adopts equal rules of the reference without duplicates", () => {
    const table = fresh();
    addLikeReference(table, "10.1.2.3/24");
    add(table, attachment("eth0"), "10.1.2.3/24");
    expect(table.listing.length).toBe(3);
    add(table, attachment("eth1"), "10.1.2.4/24");
    del(table, attachment("eth0"));
    expect(table.listing.filter((line) => line.startsWith("-A POSTROUTING"))).toEqual([
      `-A POSTROUTING -s 10.1.2.4/32 ${comment} -j ${chain}`,
    ]);
  });

  test("another program's jump into the chain stays, and so does the chain", () => {
    const table = fresh();
    add(table, attachment("eth0"), "10.1.2.3/24");
    table.append("POSTROUTING", { comment: "mine", verdict: "jump", target: chain });
    del(table, attachment("eth0"));
    expect(table.listing).toContain(`-A POSTROUTING -m comment --comment "mine" -j ${chain}`);
    expect(table.chains).toContain(chain);
  });

  test("after any ADDs and DELs, exactly the attached addresses are masqueraded", () => {
    const call = fc.record({
      command: fc.constantFrom("add", "del"),
      container: fc.constantFrom("c1", "c2"),
      ifname: fc.constantFrom("eth0", "eth1", "eth2"),
      addresses: fc.uniqueArray(
        fc
          .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }))
          .map(([net, host]) => `10.1.${net}.${host}/24`),
        { minLength: 1, maxLength: 2 },
      ),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 25 }), (calls) => {
        const table = fresh();
        const attached = new Map<string, { who: Attachment; addresses: string[] }>();
        for (const { command, container, ifname, addresses } of calls) {
          const who = attachment(ifname, container);
          if (command === "add") {
            add(table, who, ...addresses);
            attached.set(container + ifname, { who, addresses });
          } else {
            del(table, who);
            attached.delete(container + ifname);
          }
        }
        for (const { who, addresses } of attached.values()) {
          for (const prefix of prefixes(...addresses)) expectMasqueraded(table, who, prefix);
        }
        const living = new Set([...attached.values()].map(({ who }) => iptablesChain(who)));
        expect(new Set(table.chains)).toEqual(living);
        const sources = table.listing.filter((line) => line.startsWith("-A POSTROUTING")).length;
        expect(sources).toBe(
          [...attached.values()].reduce((sum, { addresses }) => sum + addresses.length, 0),
        );
        for (const { who } of [...attached.values()]) del(table, who);
        expect([table.listing, table.chains]).toEqual([[], []]);
      }),
      { numRuns: 300 },
    );
  });
});

/** Containers of two networks that share a chain. */
const PAIRS = [
  ["whole comments", { network: "net1", containerId: "0abc" }, { network: "net10", containerId: "abc" }],
  [
    "cut comments",
    { network: "n", containerId: "a".repeat(300) },
    { network: "na", containerId: "a".repeat(299) },
  ],
  [
    "comments cut to the same text",
    { network: "n".repeat(249), containerId: `nn${"a".repeat(64)}` },
    { network: "n".repeat(251), containerId: "a".repeat(64) },
  ],
] as const;

describe.each([
  ["attachments in user data", false],
  ["attachments in marker rules", true],
])("K3: two containers that share a chain, %s", (_, keepsMarkers) => {
  test.each(PAIRS)("%s: they do not affect each other, in any order of ADDs and DELs", (_, one, two) => {
    const sameComment = iptablesComment(one) === iptablesComment(two);
    const call = fc.record({
      command: fc.constantFrom("add", "del"),
      // The reference's rules cannot be distinguished if the comments are the same.
      byReference: sameComment ? fc.constant(false) : fc.boolean(),
      container: fc.constantFrom(one, two),
      ifname: fc.constantFrom("eth0", "eth1"),
      addresses: fc.uniqueArray(
        fc
          .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }))
          .map(([net, host]) => `10.1.${net}.${host}/24`),
        { minLength: 1, maxLength: 2 },
      ),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 12 }), (calls) => {
        const table = new FakeNatTable(keepsMarkers);
        const attached = new Map<string, { who: Attachment; addresses: string[]; byReference: boolean }>();
        for (const { command, byReference, container, ifname, addresses } of calls) {
          const who = { ...container, ifname: byReference ? "eth9" : ifname };
          const key = `${container.network} ${who.ifname}`;
          const present = attached.get(key);
          if (command === "del" && present !== undefined) {
            del(table, who);
            attached.delete(key);
          } else if (command === "add" && (present === undefined || !byReference)) {
            if (byReference) for (const address of addresses) addLikeReference(table, address, who);
            // An ADD adopts equal rules of the same container that have no mark.
            else if (isMasqueradedByReference(attached, container, addresses)) continue;
            else add(table, who, ...addresses);
            attached.set(key, { who, addresses, byReference });
          }
          for (const { who, addresses, byReference } of attached.values()) {
            for (const prefix of prefixes(...addresses)) expectMasqueraded(table, who, prefix, !byReference);
          }
        }
        for (const { who } of [...attached.values()]) del(table, who);
        expect([table.listing, table.markers, table.chains.filter((name) => name !== "POSTROUTING")]).toEqual(
          [[], [], []],
        );
      }),
      { numRuns: 300 },
    );
  });

  test("unfinished rules of the reference for the other container stay: it writes the jump last", () => {
    const [[, one, two]] = PAIRS;
    const table = new FakeNatTable(keepsMarkers);
    add(table, { ...one, ifname: "eth0" }, "10.1.2.3/24");
    addLikeReference(table, "10.1.2.4/24", { ...two, ifname: "" });
    table.remove(({ chain, rule }) => chain === "POSTROUTING" && rule.comment === iptablesComment(two));
    del(table, { ...one, ifname: "eth0" });
    const text = `-m comment --comment "name: \\"net10\\" id: \\"abc\\""`;
    expect(table.listing).toEqual([
      `-A ${iptablesChain(two)} -d 10.1.2.0/24 ${text} -j ACCEPT`,
      `-A ${iptablesChain(two)} ! -d 224.0.0.0/4 ${text} -j MASQUERADE`,
    ]);
    del(table, { ...two, ifname: "eth0" });
    expect([table.listing, table.markers]).toEqual([[], []]);
  });

  test("the DEL of a container that was never attached keeps the rules of the other", () => {
    for (const [, one, two] of PAIRS.slice(0, 2)) {
      const table = new FakeNatTable(keepsMarkers);
      addLikeReference(table, "10.1.2.3/24", { ...one, ifname: "" });
      add(table, { ...one, ifname: "eth1" }, "10.1.2.4/24");
      const before = [...table.listing, ...table.markers];
      for (const ifname of ["eth0", "eth1"]) del(table, { ...two, ifname });
      expect([...table.listing, ...table.markers]).toEqual(before);
    }
  });
});

type Attached = ReadonlyMap<string, { who: Attachment; addresses: string[]; byReference: boolean }>;

const isMasqueradedByReference = (
  attached: Attached,
  { network }: { network: string },
  addresses: string[],
): boolean =>
  [...attached.values()].some(
    (other) =>
      other.byReference &&
      other.who.network === network &&
      other.addresses.some((one) => addresses.includes(one)),
  );

/** Follows the rules as the kernel would. */
function expectMasqueraded(
  table: FakeNatTable,
  who: Attachment,
  { address, length }: Prefix,
  sparesOwnSubnet = true,
): void {
  const own = iptablesChain(who);
  const from = table.listing.some(
    (line) => line.startsWith(`-A POSTROUTING -s ${formatIp(address)}/32 `) && line.endsWith(`-j ${own}`),
  );
  expect([who, formatIp(address), "led into the chain", from]).toEqual([
    who,
    formatIp(address),
    "led into the chain",
    true,
  ]);
  const inChain = table.listing.filter((line) => line.startsWith(`-A ${own} `));
  const masquerade = inChain.findIndex(
    (line) => line.includes("! -d 224.0.0.0/4") && line.endsWith("MASQUERADE"),
  );
  expect(masquerade).toBeGreaterThanOrEqual(0);
  // The reference appends its rules, possibly after another container's masquerade rule.
  if (!sparesOwnSubnet) return;
  const accept = inChain.findIndex((line) => {
    const subnet = /^-A \S+ -d (\S+) .* -j ACCEPT$/.exec(line)?.[1];
    const prefix = subnet === undefined ? undefined : parsePrefix(subnet);
    return prefix !== undefined && prefix.length === length && contains(prefix, address);
  });
  expect(accept).toBeGreaterThanOrEqual(0);
  expect(masquerade).toBeGreaterThan(accept);
}
