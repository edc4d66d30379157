/** The rules of both backends, judged by iptables-save and nft. */

import { describe, expect } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { iptablesChain } from "../../../src/netfilter/attachment-names.ts";
import type { Backend } from "../../../src/netfilter/iptables/host.ts";
import { hostTest } from "../../support/host-test.ts";
import { rows } from "../../support/rows.ts";
import { attachment, C1, check, complaint, setUp } from "./attached.ts";
import { everything, iptablesRules, nftTable } from "./listings.ts";
import { masquerade } from "./modules.ts";
import { callAtOnce } from "./parallel.ts";
import {
  referenceAddIptables,
  referenceAddNftables,
  referenceDelIptables,
  referenceDelNftables,
} from "./reference.ts";

const BACKENDS: readonly Backend[] = ["iptables", "nftables"];
const ADDRESSES = ["10.1.2.3/24", "10.9.0.4/16", "fd00:2::3/64"];
const DUAL = ["10.1.2.3/24", "fd00:2::3/64"];
const C2 = attachment("c2");

const reference = {
  iptables: { add: referenceAddIptables, del: referenceDelIptables },
  nftables: { add: referenceAddNftables, del: (who: Attachment) => referenceDelNftables(who) },
} as const;

hostTest("B28: iptables-save shows the rules that the reference writes, one for one", async (host) => {
  await referenceAddIptables(C1, DUAL);
  const expected = [await iptablesRules("iptables-nft"), await iptablesRules("ip6tables-nft")];
  await host.run("nft flush ruleset");
  await setUp("iptables", C1, ...DUAL);
  expect([await iptablesRules("iptables-nft"), await iptablesRules("ip6tables-nft")]).toEqual(expected);
  expect(expected[0]).toContain(
    `-A POSTROUTING -s 10.1.2.3/32 -m comment --comment "name: \\"net1\\" id: \\"c1\\"" -j ${iptablesChain(C1)}`,
  );
  await masquerade.tearDown(C1);
});

hostTest(
  "K13: two subnets of a family, as the reference writes them, are no loss; one that is gone is",
  async (host) => {
    const addresses = ["10.1.2.3/24", "10.9.2.3/24"];
    await referenceAddIptables(C1, addresses);
    await check("iptables", C1, ...addresses);
    // Its third rule, behind the masquerading, spares the second subnet.
    await host.run(`iptables -t nat -D ${iptablesChain(C1)} 3`);
    expect(await complaint(check("iptables", C1, ...addresses))).toContain("-d 10.9.2.0/24");
    await masquerade.tearDown(C1);
    await host.run("nft flush ruleset");
  },
);

hostTest(
  "B29: nft shows the rules that the reference writes; the source stands in a set of one",
  async (host) => {
    /** Lines in no order: the reference adds the chains in another one. */
    const rulesOf = async () =>
      (await nftTable("inet", "cni_plugins_masquerade"))
        .replaceAll(/saddr \{ (\S+) \}/g, "saddr $1")
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => !line.startsWith("comment "))
        .sort();
    await referenceAddNftables(C1, ADDRESSES);
    const expected = await rulesOf();
    await host.run("nft flush ruleset");
    await setUp("nftables", C1, ...ADDRESSES);
    expect(await rulesOf()).toEqual(expected);
    await masquerade.tearDown(C1);
  },
);

describe.each(BACKENDS)("%s", (backend) => {
  hostTest("ADD, CHECK, ADD again, DEL, DEL again: the host is as before", async () => {
    const before = await everything();
    await setUp(backend, C1, ...ADDRESSES);
    const once = await everything();
    expect(once.length).toBeGreaterThan(before.length);
    await check(backend, C1, ...ADDRESSES);
    await setUp(backend, C1, ...ADDRESSES);
    expect(await everything()).toEqual(once);
    await masquerade.tearDown(C1);
    expect(await everything()).toEqual(before);
    await masquerade.tearDown(C1);
    expect(await everything()).toEqual(before);
  });

  hostTest("an ADD with other addresses replaces those of the ADD before", async () => {
    await setUp(backend, C1, "10.1.2.3/24", "10.1.2.4/24", "10.1.2.5/24");
    await setUp(backend, C1, "10.1.2.9/24");
    await check(backend, C1, "10.1.2.9/24");
    expect((await everything()).join("\n")).not.toMatch(/10\.1\.2\.[345]\b/);
    await masquerade.tearDown(C1);
  });

  hostTest("with many addresses, all go by the attachment's name alone (G5)", async () => {
    const many = Array.from({ length: 21 }, (_, index) => `10.1.${index}.3/24`);
    await setUp(backend, C2, "10.1.0.9/24");
    await setUp(backend, C1, ...many);
    await check(backend, C1, ...many);
    await masquerade.tearDown(C1);
    expect((await everything()).join("\n")).not.toContain("10.1.1.3");
    await check(backend, C2, "10.1.0.9/24");
    await masquerade.tearDown(C2);
  });

  hostTest("G16: two interfaces of one container, detached one by one, in either order", async () => {
    for (const [first, second] of [
      ["eth0", "eth1"],
      ["eth1", "eth0"],
    ] as const) {
      await setUp(backend, attachment("c1", "eth0"), ...DUAL);
      await setUp(backend, attachment("c1", "eth1"), "10.1.2.4/24", "10.7.0.1/16");
      const addressesOf = { eth0: DUAL, eth1: ["10.1.2.4/24", "10.7.0.1/16"] };
      await check(backend, attachment("c1", "eth0"), ...addressesOf.eth0);
      await check(backend, attachment("c1", "eth1"), ...addressesOf.eth1);
      await masquerade.tearDown(attachment("c1", first));
      await masquerade.tearDown(attachment("c1", first));
      await check(backend, attachment("c1", second), ...addressesOf[second]);
      await masquerade.tearDown(attachment("c1", second));
    }
  });

  hostTest("the reference ADDs: our CHECK passes, our DEL leaves nothing", async (host) => {
    // The table itself, which the reference does not take away either.
    await reference[backend].add(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
    await reference[backend].del(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
    const before = await everything();
    await reference[backend].add(C1, DUAL);
    await check(backend, C1, ...DUAL);
    await masquerade.tearDown(C1);
    expect(await everything()).toEqual(before);
    await host.run("nft flush ruleset");
  });

  hostTest("ours ADDs: the reference's DEL leaves nothing", async (host) => {
    await reference[backend].add(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
    await reference[backend].del(attachment("c0"), ["10.0.0.9/24", "fd00:0::9/64"]);
    const before = await everything();
    await setUp(backend, C1, ...DUAL);
    expect(await everything()).not.toEqual(before);
    await reference[backend].del(C1, DUAL);
    expect(await everything()).toEqual(before);
    await host.run("nft flush ruleset");
  });

  hostTest("both on one host: each removes its own, and the other's attachments stay", async (host) => {
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

  hostTest("rules that were saved and loaded again are still ours", async (host) => {
    await setUp(backend, C1, "10.1.2.3/24");
    await setUp(backend, C2, "10.1.2.4/24");
    if (backend === "iptables")
      await host.run("iptables-nft-save >/run/saved && iptables-nft-restore </run/saved");
    else await host.run("nft list ruleset >/run/saved && nft flush ruleset && nft -f /run/saved");
    await host.run("rm /run/saved");
    await check(backend, C1, "10.1.2.3/24");
    await masquerade.tearDown(C1);
    await check(backend, C2, "10.1.2.4/24");
    await masquerade.tearDown(C2);
    expect((await everything()).join("\n")).not.toContain("10.1.2.");
    await host.run("nft flush ruleset");
  });

  hostTest("G1: GC removes what is not valid, of this network only, whoever wrote it", async (host) => {
    const elsewhere: Attachment = { network: "net11", containerId: "c1", ifname: "eth0" };
    await setUp(backend, attachment("c1", "eth0"), "10.1.2.3/24");
    await setUp(backend, attachment("c1", "eth1"), "10.1.3.3/24");
    await setUp(backend, C2, "10.1.2.4/24");
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
    for (const address of ["10.1.2.3/32", "10.1.2.4/32", "10.1.2.5/32"]) expect(left).not.toContain(address);
    await masquerade.collect("net1", []);
    await check(backend, elsewhere, "10.2.2.3/24");
    expect((await everything()).join("\n")).not.toContain("10.1.");
    await masquerade.tearDown(elsewhere);
    await host.run("nft flush ruleset");
  });
});

hostTest("DEL removes the rules of both backends (B33)", async () => {
  await setUp("iptables", C1, "10.1.2.3/24");
  await setUp("nftables", C1, "10.1.2.3/24");
  await masquerade.tearDown(C1);
});

describe("G17: CHECK names what is lost", () => {
  const chain = iptablesChain(C1);
  const NOTHING = "has nothing to complain of";
  const MUTATIONS = rows<[Backend, string, string]>(`
    iptables => iptables-nft -t nat -F => chain ${chain} of the nat table of iptables-nft lacks the rule "-A ${chain} -d 10.1.2.0/24
    iptables => iptables-nft -t nat -F POSTROUTING => chain POSTROUTING of the nat table of iptables-nft lacks the rule "-A POSTROUTING -s 10.1.2.3/32
    iptables => iptables-nft -t nat -D ${chain} 1 => lacks the rule "-A ${chain} -d 10.1.2.0/24
    iptables => iptables-nft -t nat -D ${chain} 2 => lacks the rule "-A ${chain} ! -d 224.0.0.0/4
    iptables => iptables-nft -t nat -R ${chain} 2 ! -d 224.0.0.0/4 -j ACCEPT => lacks the rule "-A ${chain} ! -d 224.0.0.0/4
    iptables => iptables-nft -t nat -I ${chain} 1 -j MASQUERADE -m comment --comment x => ${NOTHING}
    iptables => iptables-nft -t nat -I ${chain} 1 -j RETURN => has the rule "-A ${chain} -j RETURN", so the rules after it are not reached
    iptables => ip6tables-nft -t nat -I ${chain} 2 -j ACCEPT => of ip6tables-nft has the rule "-A ${chain} -j ACCEPT", so the rules after it are not reached
    # Such a rule concerns some packets only, or comes too late.
    iptables => iptables-nft -t nat -I ${chain} 1 -p udp -j RETURN => ${NOTHING}
    iptables => iptables-nft -t nat -I ${chain} 3 -j RETURN => ${NOTHING}
    iptables => ip6tables-nft -t nat -F POSTROUTING => chain POSTROUTING of the nat table of ip6tables-nft lacks the rule "-A POSTROUTING -s fd00:2::3/128
    iptables => nft flush ruleset => the nat table of iptables-nft has no chain ${chain} to masquerade 10.1.2.3/24
    nftables => nft flush ruleset => chain postrouting of table inet cni_plugins_masquerade is missing
    nftables => nft flush chain inet cni_plugins_masquerade masq_checks => lacks the rule "ip saddr 10.1.2.3 ip daddr != 10.1.2.0/24 masquerade" of this attachment
    nftables => nft flush chain inet cni_plugins_masquerade postrouting => lacks the rule "goto masq_checks"
    nftables => nft delete rule inet cni_plugins_masquerade postrouting handle 4 => lacks the rule that excludes multicast to ff00::/8
    nftables => nft insert rule inet cni_plugins_masquerade postrouting goto masq_checks => lacks the rule that excludes multicast to 224.0.0.0/4
  `);

  hostTest.each([...MUTATIONS])("%s: %s", async (host, backend, mutation, message) => {
    await setUp(backend, C1, ...DUAL);
    await host.run(mutation);
    expect(await complaint(check(backend, C1, ...DUAL))).toContain(message);
    await host.run("nft flush ruleset");
  });

  hostTest.each(BACKENDS)("%s: an address that was never attached", async (_, backend) => {
    await setUp(backend, C1, "10.1.2.3/24");
    expect(await complaint(check(backend, C1, "10.1.2.4/24"))).toContain("10.1.2.4");
    expect(await complaint(check(backend, C1, "10.1.2.3/25"))).toContain("10.1.2.0/25");
    expect(await complaint(check(backend, attachment("c1", "eth0"), "10.1.2.3/24"))).toContain(
      "nothing to complain",
    );
    await masquerade.tearDown(C1);
  });

  hostTest.each(BACKENDS)("%s: after any of this an ADD repairs it", async (host, backend) => {
    for (const [, mutation] of MUTATIONS.filter(([which]) => which === backend)) {
      if (mutation.includes(" -I ")) continue;
      await setUp(backend, C1, ...DUAL);
      await host.run(mutation);
      // Of the postrouting chain ADD only sees that rules are missing.
      if (mutation.startsWith("nft insert"))
        await host.run("nft flush chain inet cni_plugins_masquerade postrouting");
      await setUp(backend, C1, ...DUAL);
      await check(backend, C1, ...DUAL);
      await masquerade.tearDown(C1);
      await host.run("nft flush ruleset");
    }
  });
});

hostTest(
  "all rules were flushed and another's DEL took the empty base chain: ADD brings it back",
  async (host) => {
    await setUp("iptables", C1, "10.1.2.3/24");
    await setUp("iptables", C2, "10.1.2.4/24");
    await host.run("nft flush table ip nat");
    await masquerade.tearDown(C2);
    expect(await nftTable("ip", "nat")).not.toContain("POSTROUTING");
    await setUp("iptables", C1, "10.1.2.3/24");
    await check("iptables", C1, "10.1.2.3/24");
    expect(await nftTable("ip", "nat")).toContain("hook postrouting");
    await masquerade.tearDown(C1);
  },
);

hostTest(
  "a first ADD of many at once: each has its rules, the table is whole; then all DELs at once",
  async () => {
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
  },
);
