/** The rules of both backends, judged by iptables-save and nft. */

import { describe, expect, test } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { CniError } from "../../../src/cni/error.ts";
import { iptablesChain } from "../../../src/netfilter/attachment-names.ts";
import type { Backend } from "../../../src/netfilter/masquerade/masquerade.ts";
import * as masquerade from "../../../src/netfilter/masquerade/masquerade.ts";
import { withScratchHost } from "../../support/scratch-host.ts";
import { everything, iptablesRules, nftTable } from "./listings.ts";
import { callAtOnce } from "./parallel.ts";
import { prefixes } from "./prefixes.ts";
import {
  referenceAddIptables,
  referenceAddNftables,
  referenceDelIptables,
  referenceDelNftables,
} from "./reference.ts";

const BACKENDS: readonly Backend[] = ["iptables", "nftables"];
const ADDRESSES = ["10.1.2.3/24", "10.9.0.4/16", "fd00:2::3/64"];

const attachment = (containerId: string, ifname = "eth0"): Attachment => ({
  network: "net1",
  containerId,
  ifname,
});
const setUp = (backend: Backend | undefined, who: Attachment, ...addresses: string[]) =>
  masquerade.setUp(backend, who, prefixes(...addresses));
const check = (backend: Backend, who: Attachment, ...addresses: string[]) =>
  masquerade.check(backend, who, prefixes(...addresses));

/** The message of the error that CHECK gives. */
async function complaint(backend: Backend, who: Attachment, ...addresses: string[]): Promise<string> {
  try {
    await check(backend, who, ...addresses);
  } catch (error) {
    expect(error).toBeInstanceOf(CniError);
    return (error as CniError).message;
  }
  return "CHECK has nothing to complain of";
}

const reference = {
  iptables: { add: referenceAddIptables, del: referenceDelIptables },
  nftables: { add: referenceAddNftables, del: (who: Attachment) => referenceDelNftables(who) },
} as const;

test("B28: iptables-save shows the rules that the reference writes, one for one", async () => {
  await withScratchHost(async (host) => {
    await referenceAddIptables(attachment("c1"), ["10.1.2.3/24", "fd00:2::3/64"]);
    const expected = [await iptablesRules("iptables-nft"), await iptablesRules("ip6tables-nft")];
    await host.run("nft flush ruleset");
    await setUp("iptables", attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
    expect([await iptablesRules("iptables-nft"), await iptablesRules("ip6tables-nft")]).toEqual(expected);
    expect(expected[0]).toContain(
      `-A POSTROUTING -s 10.1.2.3/32 -m comment --comment "name: \\"net1\\" id: \\"c1\\"" -j ${iptablesChain(attachment("c1"))}`,
    );
    await masquerade.tearDown(attachment("c1"));
  });
});

test("K13: two subnets of a family, as the reference writes them, are no loss; one that is gone is", async () => {
  await withScratchHost(async (host) => {
    const addresses = ["10.1.2.3/24", "10.9.2.3/24"];
    await referenceAddIptables(attachment("c1"), addresses);
    await check("iptables", attachment("c1"), ...addresses);
    // Its third rule, behind the masquerading, spares the second subnet.
    await host.run(`iptables -t nat -D ${iptablesChain(attachment("c1"))} 3`);
    expect(await complaint("iptables", attachment("c1"), ...addresses)).toContain("-d 10.9.2.0/24");
    await masquerade.tearDown(attachment("c1"));
    await host.run("nft flush ruleset");
  });
});

test("B29: nft shows the rules that the reference writes; the source stands in a set of one", async () => {
  const rulesOf = async () =>
    (await nftTable("inet", "cni_plugins_masquerade"))
      .replaceAll(/^\tcomment .*\n|^\t\tcomment .*\n/gm, "")
      .replaceAll(/saddr \{ (\S+) \}/g, "saddr $1")
      // The reference adds the chains in another order.
      .split("\n\n")
      .map((chain) => chain.trim())
      .sort();
  await withScratchHost(async (host) => {
    await referenceAddNftables(attachment("c1"), ADDRESSES);
    const expected = await rulesOf();
    await host.run("nft flush ruleset");
    await setUp("nftables", attachment("c1"), ...ADDRESSES);
    expect(
      (await rulesOf())
        .join("\n")
        .split("\n")
        .map((line) => line.trim())
        .sort(),
    ).toEqual(
      expected
        .join("\n")
        .split("\n")
        .map((line) => line.trim())
        .sort(),
    );
    await masquerade.tearDown(attachment("c1"));
  });
});

describe.each(BACKENDS)("%s", (backend) => {
  test("ADD, CHECK, ADD again, DEL, DEL again: the host is as before", async () => {
    await withScratchHost(async () => {
      const before = await everything();
      await setUp(backend, attachment("c1"), ...ADDRESSES);
      const once = await everything();
      expect(once.length).toBeGreaterThan(before.length);
      await check(backend, attachment("c1"), ...ADDRESSES);
      await setUp(backend, attachment("c1"), ...ADDRESSES);
      expect(await everything()).toEqual(once);
      await masquerade.tearDown(attachment("c1"));
      expect(await everything()).toEqual(before);
      await masquerade.tearDown(attachment("c1"));
      expect(await everything()).toEqual(before);
    });
  });

  test("an ADD with other addresses replaces those of the ADD before", async () => {
    await withScratchHost(async () => {
      await setUp(backend, attachment("c1"), "10.1.2.3/24", "10.1.2.4/24", "10.1.2.5/24");
      await setUp(backend, attachment("c1"), "10.1.2.9/24");
      await check(backend, attachment("c1"), "10.1.2.9/24");
      expect((await everything()).join("\n")).not.toMatch(/10\.1\.2\.[345]\b/);
      await masquerade.tearDown(attachment("c1"));
    });
  });

  test("with many addresses, all go by the attachment's name alone (G5)", async () => {
    await withScratchHost(async () => {
      const many = Array.from({ length: 21 }, (_, index) => `10.1.${index}.3/24`);
      await setUp(backend, attachment("c2"), "10.1.0.9/24");
      await setUp(backend, attachment("c1"), ...many);
      await check(backend, attachment("c1"), ...many);
      await masquerade.tearDown(attachment("c1"));
      expect((await everything()).join("\n")).not.toContain("10.1.1.3");
      await check(backend, attachment("c2"), "10.1.0.9/24");
      await masquerade.tearDown(attachment("c2"));
    });
  });

  test("G16: two interfaces of one container, detached one by one, in either order", async () => {
    await withScratchHost(async () => {
      for (const [first, second] of [
        ["eth0", "eth1"],
        ["eth1", "eth0"],
      ] as const) {
        await setUp(backend, attachment("c1", "eth0"), "10.1.2.3/24", "fd00:2::3/64");
        await setUp(backend, attachment("c1", "eth1"), "10.1.2.4/24", "10.7.0.1/16");
        const addressesOf = { eth0: ["10.1.2.3/24", "fd00:2::3/64"], eth1: ["10.1.2.4/24", "10.7.0.1/16"] };
        await check(backend, attachment("c1", "eth0"), ...addressesOf.eth0);
        await check(backend, attachment("c1", "eth1"), ...addressesOf.eth1);
        await masquerade.tearDown(attachment("c1", first));
        await masquerade.tearDown(attachment("c1", first));
        await check(backend, attachment("c1", second), ...addressesOf[second]);
        await masquerade.tearDown(attachment("c1", second));
      }
    });
  });

  test("the reference ADDs: our CHECK passes, our DEL leaves nothing", async () => {
    await withScratchHost(async (host) => {
      // The table itself, which the reference does not take away either.
      await reference[backend].add(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
      await reference[backend].del(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
      const before = await everything();
      await reference[backend].add(attachment("c1"), ["10.1.2.3/24", "fd00:2::3/64"]);
      await check(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
      await masquerade.tearDown(attachment("c1"));
      expect(await everything()).toEqual(before);
      await host.run("nft flush ruleset");
    });
  });

  test("ours ADDs: the reference's DEL leaves nothing", async () => {
    await withScratchHost(async (host) => {
      await reference[backend].add(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
      await reference[backend].del(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
      const before = await everything();
      await setUp(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
      expect(await everything()).not.toEqual(before);
      await reference[backend].del(attachment("c1"), ["10.1.2.3/24", "fd00:2::3/64"]);
      expect(await everything()).toEqual(before);
      await host.run("nft flush ruleset");
    });
  });

  test("both on one host: each removes its own, and the other's attachments stay", async () => {
    await withScratchHost(async (host) => {
      await setUp(backend, attachment("ours"), "10.1.2.3/24");
      await reference[backend].add(attachment("theirs"), ["10.1.2.4/24"]);
      await setUp(backend, attachment("ours2"), "10.1.2.5/24");
      await check(backend, attachment("ours"), "10.1.2.3/24");
      await masquerade.tearDown(attachment("ours"));
      await check(backend, attachment("theirs"), "10.1.2.4/24");
      await reference[backend].del(attachment("theirs"), ["10.1.2.4/24"]);
      await check(backend, attachment("ours2"), "10.1.2.5/24");
      await masquerade.tearDown(attachment("ours2"));
      expect((await everything()).join("\n")).not.toContain("10.1.2.");
      await host.run("nft flush ruleset");
    });
  });

  test("rules that were saved and loaded again are still ours", async () => {
    await withScratchHost(async (host) => {
      await setUp(backend, attachment("c1"), "10.1.2.3/24");
      await setUp(backend, attachment("c2"), "10.1.2.4/24");
      if (backend === "iptables")
        await host.run("iptables-nft-save >/run/saved && iptables-nft-restore </run/saved");
      else await host.run("nft list ruleset >/run/saved && nft flush ruleset && nft -f /run/saved");
      await host.run("rm /run/saved");
      await check(backend, attachment("c1"), "10.1.2.3/24");
      await masquerade.tearDown(attachment("c1"));
      await check(backend, attachment("c2"), "10.1.2.4/24");
      await masquerade.tearDown(attachment("c2"));
      expect((await everything()).join("\n")).not.toContain("10.1.2.");
      await host.run("nft flush ruleset");
    });
  });

  test("G1: GC removes what is not valid, of this network only, whoever wrote it", async () => {
    await withScratchHost(async (host) => {
      const elsewhere: Attachment = { network: "net11", containerId: "c1", ifname: "eth0" };
      await setUp(backend, attachment("c1", "eth0"), "10.1.2.3/24");
      await setUp(backend, attachment("c1", "eth1"), "10.1.3.3/24");
      await setUp(backend, attachment("c2"), "10.1.2.4/24");
      await reference[backend].add(attachment("c3"), ["10.1.2.5/24"]);
      await reference[backend].add(attachment("c4"), ["10.1.2.6/24"]);
      await setUp(backend, elsewhere, "10.2.2.3/24");
      await masquerade.collect("net1", [
        { containerId: "c1", ifname: "eth1" },
        { containerId: "c4", ifname: "eth0" },
      ]);
      await check(backend, attachment("c1", "eth1"), "10.1.3.3/24");
      await check(backend, attachment("c4"), "10.1.2.6/24");
      await check(backend, elsewhere, "10.2.2.3/24");
      const left = (await everything()).join("\n");
      for (const address of ["10.1.2.3", "10.1.2.4", "10.1.2.5"]) expect(left).not.toContain(`${address}"`);
      for (const address of ["10.1.2.3/32", "10.1.2.4/32", "10.1.2.5/32"])
        expect(left).not.toContain(address);
      await masquerade.collect("net1", []);
      await check(backend, elsewhere, "10.2.2.3/24");
      expect((await everything()).join("\n")).not.toContain("10.1.");
      await masquerade.tearDown(elsewhere);
      await host.run("nft flush ruleset");
    });
  });
});

test("DEL removes the rules of both backends (B33)", async () => {
  await withScratchHost(async () => {
    await setUp("iptables", attachment("c1"), "10.1.2.3/24");
    await setUp("nftables", attachment("c1"), "10.1.2.3/24");
    await masquerade.tearDown(attachment("c1"));
  });
});

describe("G17: CHECK names what is lost", () => {
  const chain = iptablesChain(attachment("c1"));
  const MUTATIONS: readonly [Backend, string, RegExp][] = [
    [
      "iptables",
      "iptables-nft -t nat -F",
      /chain \S+ of the nat table of iptables-nft lacks the rule "-A \S+ -d 10\.1\.2\.0\/24/,
    ],
    [
      "iptables",
      "iptables-nft -t nat -F POSTROUTING",
      /chain POSTROUTING of the nat table of iptables-nft lacks the rule "-A POSTROUTING -s 10\.1\.2\.3\/32/,
    ],
    ["iptables", `iptables-nft -t nat -D ${chain} 1`, /lacks the rule "-A \S+ -d 10\.1\.2\.0\/24/],
    ["iptables", `iptables-nft -t nat -D ${chain} 2`, /lacks the rule "-A \S+ ! -d 224\.0\.0\.0\/4/],
    [
      "iptables",
      `iptables-nft -t nat -R ${chain} 2 ! -d 224.0.0.0/4 -j ACCEPT`,
      /lacks the rule "-A \S+ ! -d 224\.0\.0\.0\/4/,
    ],
    [
      "iptables",
      `iptables-nft -t nat -I ${chain} 1 -j MASQUERADE -m comment --comment x`,
      /has nothing to complain of/,
    ],
    [
      "iptables",
      `iptables-nft -t nat -I ${chain} 1 -j RETURN`,
      /has the rule "-A \S+ -j RETURN", behind which no rule is reached/,
    ],
    [
      "iptables",
      `ip6tables-nft -t nat -I ${chain} 2 -j ACCEPT`,
      /of ip6tables-nft has the rule "-A \S+ -j ACCEPT", behind which no rule is reached/,
    ],
    // Such a rule concerns some packets only, or comes too late.
    ["iptables", `iptables-nft -t nat -I ${chain} 1 -p udp -j RETURN`, /has nothing to complain of/],
    ["iptables", `iptables-nft -t nat -I ${chain} 3 -j RETURN`, /has nothing to complain of/],
    [
      "iptables",
      "ip6tables-nft -t nat -F POSTROUTING",
      /chain POSTROUTING of the nat table of ip6tables-nft lacks .*fd00:2::3\/128/,
    ],
    [
      "iptables",
      "nft flush ruleset",
      /the nat table of iptables-nft has no chain CNI-\S+, by which 10\.1\.2\.3\/24 is masqueraded/,
    ],
    ["nftables", "nft flush ruleset", /chain postrouting of table inet cni_plugins_masquerade is missing/],
    [
      "nftables",
      "nft flush chain inet cni_plugins_masquerade masq_checks",
      /lacks the rule "ip saddr 10\.1\.2\.3 ip daddr != 10\.1\.2\.0\/24 masquerade" of this attachment/,
    ],
    [
      "nftables",
      "nft flush chain inet cni_plugins_masquerade postrouting",
      /lacks the rule "goto masq_checks"/,
    ],
    [
      "nftables",
      "nft delete rule inet cni_plugins_masquerade postrouting handle 4",
      /lacks the rule that spares multicast to ff00::\/8/,
    ],
    [
      "nftables",
      "nft insert rule inet cni_plugins_masquerade postrouting goto masq_checks",
      /lacks the rule that spares multicast to 224\.0\.0\.0\/4/,
    ],
  ];

  test.each([...MUTATIONS])("%s: %s", async (backend, mutation, message) => {
    await withScratchHost(async (host) => {
      await setUp(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
      await host.run(mutation);
      expect(await complaint(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64")).toMatch(message);
      await host.run("nft flush ruleset");
    });
  });

  test.each(BACKENDS)("%s: an address that was never attached", async (backend) => {
    await withScratchHost(async () => {
      await setUp(backend, attachment("c1"), "10.1.2.3/24");
      expect(await complaint(backend, attachment("c1"), "10.1.2.4/24")).toContain("10.1.2.4");
      expect(await complaint(backend, attachment("c1"), "10.1.2.3/25")).toContain("10.1.2.0/25");
      expect(await complaint(backend, attachment("c1", "eth0"), "10.1.2.3/24")).toContain(
        "nothing to complain",
      );
      await masquerade.tearDown(attachment("c1"));
    });
  });

  test.each(BACKENDS)("%s: after any of this an ADD repairs it", async (backend) => {
    await withScratchHost(async (host) => {
      for (const [, mutation] of MUTATIONS.filter(([which]) => which === backend)) {
        if (mutation.includes(" -I ")) continue;
        await setUp(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
        await host.run(mutation);
        // Of the postrouting chain ADD only sees that rules are missing.
        if (mutation.startsWith("nft insert"))
          await host.run("nft flush chain inet cni_plugins_masquerade postrouting");
        await setUp(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
        await check(backend, attachment("c1"), "10.1.2.3/24", "fd00:2::3/64");
        await masquerade.tearDown(attachment("c1"));
        await host.run("nft flush ruleset");
      }
    });
  });
});

test("all rules were flushed and another's DEL took the empty base chain: ADD brings it back", async () => {
  await withScratchHost(async (host) => {
    await setUp("iptables", attachment("c1"), "10.1.2.3/24");
    await setUp("iptables", attachment("c2"), "10.1.2.4/24");
    await host.run("nft flush table ip nat");
    await masquerade.tearDown(attachment("c2"));
    expect(await nftTable("ip", "nat")).not.toContain("POSTROUTING");
    await setUp("iptables", attachment("c1"), "10.1.2.3/24");
    await check("iptables", attachment("c1"), "10.1.2.3/24");
    expect(await nftTable("ip", "nat")).toContain("hook postrouting");
    await masquerade.tearDown(attachment("c1"));
  });
});

test("a first ADD of many at once: each has its rules, the table is whole; then all DELs at once", async () => {
  await withScratchHost(async () => {
    const ids = Array.from({ length: 12 }, (_, index) => index + 1);
    const nothing = ids.flatMap(() => BACKENDS.map(() => 0));
    const adds = ids.flatMap((id) =>
      BACKENDS.map((backend) => ["add", backend, `c${id}`, "eth0", `10.1.2.${id}/24`]),
    );
    expect(await callAtOnce(adds)).toEqual(nothing);
    for (const backend of BACKENDS) {
      for (const id of ids) await check(backend, attachment(`c${id}`), `10.1.2.${id}/24`);
    }
    const table = await nftTable("inet", "cni_plugins_masquerade");
    expect(table.match(/goto masq_checks/g)?.length).toBe(1);
    expect(table.match(/return/g)?.length).toBe(2);
    expect(await callAtOnce(ids.map((id) => ["del", `c${id}`, "eth0"]))).toEqual(ids.map(() => 0));
  });
});
