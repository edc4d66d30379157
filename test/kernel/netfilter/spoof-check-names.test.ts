/**
 * K2, K3: spoof checks of attachments with names of any length, in pairs that have the same names for the reference.
 * Judged by nft: which addresses a port lets in.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { outputOf } from "../../support/command.ts";
import { hostTest } from "../../support/host-test.ts";
import { collidingAttachments, interfaceNames, LONGEST_ID, seeded } from "../../support/names.ts";
import { type ScratchHost, withScratchHost } from "../../support/scratch-host.ts";
import { nftRules } from "./listings.ts";
import { spoofCheck } from "./modules.ts";
import { referenceSpoofCheck, referenceSpoofCheckRemoval } from "./reference.ts";

const MACS = { p1: "02:00:00:00:00:01", p2: "02:00:00:00:00:02" } as const;
type Port = keyof typeof MACS;

// Any interface will do, of a kind that each kernel has.
const addPort = (host: ScratchHost, port: Port) => host.run(`ip link add ${port} type bridge`);
const removePort = (host: ScratchHost, port: Port) => host.run(`ip link delete ${port}`);

interface Listed {
  readonly chain: string;
  readonly expr: readonly {
    readonly match?: { readonly right: string };
    readonly jump?: { readonly target: string };
    readonly return?: null;
    readonly drop?: null;
  }[];
}

/** The addresses that a port lets in, each with how often; undefined where nothing checks it. */
async function admitted(port: Port): Promise<string[] | undefined> {
  const { nftables } = JSON.parse(await outputOf(["nft", "-j", "list", "ruleset"])) as {
    nftables: { rule?: Listed & { table: string } }[];
  };
  const rules = nftables.flatMap(({ rule }) => (rule?.table === "nat" ? [rule] : []));
  const into = (chain: string): string[] | undefined => {
    const addresses: string[] = [];
    for (const { expr } of rules.filter((rule) => rule.chain === chain)) {
      const match = expr.find((part) => part.match)?.match?.right;
      if (chain === "PREROUTING" && match !== port) continue;
      if (expr.some((part) => "drop" in part)) return addresses;
      if (expr.some((part) => "return" in part) && match !== undefined) addresses.push(match);
      const target = expr.find((part) => part.jump)?.jump?.target;
      const inside = target === undefined ? undefined : into(target);
      if (inside !== undefined) return [...addresses, ...inside];
    }
    return undefined;
  };
  return into("PREROUTING");
}

describe("two attachments that the reference would give the same names", () => {
  test("ADD, CHECK, GC and DEL keep them apart, at any length", async () => {
    await fc.assert(
      fc.asyncProperty(
        collidingAttachments(interfaceNames),
        fc.boolean(),
        fc.boolean(),
        async (pair, swapped, byCollection) => {
          const [one, two]: readonly Attachment[] = swapped ? pair.toReversed() : pair;
          if (one === undefined || two === undefined) throw new Error("a pair has two");
          await withScratchHost(async (host) => {
            const before = await nftRules();
            await addPort(host, "p1");
            await addPort(host, "p2");
            await spoofCheck.setUp(one, "p1", MACS.p1);
            await spoofCheck.setUp(two, "p2", MACS.p2);
            for (const port of ["p1", "p2"] as const) expect(await admitted(port)).toEqual([MACS[port]]);
            await spoofCheck.check(one, "p1", MACS.p1);
            await spoofCheck.check(two, "p2", MACS.p2);
            const both = await nftRules();
            await spoofCheck.setUp(one, "p1", MACS.p1);
            await spoofCheck.setUp(two, "p2", MACS.p2);
            expect((await nftRules()).sort()).toEqual(both.sort());
            // Nothing goes as long as both ports are there, whoever is deleted.
            await spoofCheck.collect();
            await spoofCheck.tearDown(one);
            await spoofCheck.tearDown(two);
            expect((await nftRules()).sort()).toEqual(both.sort());
            await removePort(host, "p1");
            if (byCollection) await spoofCheck.collect();
            else await spoofCheck.tearDown(one);
            await spoofCheck.tearDown(one);
            expect([await admitted("p1"), await admitted("p2")]).toEqual([undefined, [MACS.p2]]);
            await spoofCheck.check(two, "p2", MACS.p2);
            await removePort(host, "p2");
            await spoofCheck.tearDown(two);
            expect(await nftRules()).toEqual(before);
          });
        },
      ),
      seeded(15),
    );
  });

  hostTest(
    "A31: a chain that another program's rule leads to stays, and DEL says so after it has removed the rest",
    async (host) => {
      const attachment = { network: "net1", containerId: "c1", ifname: "eth0" };
      await spoofCheck.setUp(attachment, "veth1", MACS.p1);
      const hold = "add chain bridge nat theirs; add rule bridge nat theirs jump cni-br-iface-c1-eth0";
      await host.run(["nft", hold]);
      for (const _ of ["once", "again"]) {
        await expect(spoofCheck.tearDown(attachment)).rejects.toThrow(
          "failed to teardown spoof-check: chain cni-br-iface-c1-eth0 is busy: a rule of another program leads there",
        );
      }
      expect((await nftRules()).join("\n")).not.toContain("veth1");
      await host.run(["nft", "delete chain bridge nat theirs"]);
      await spoofCheck.tearDown(attachment);
      await host.run("nft flush ruleset");
    },
  );

  hostTest("the failed ADD of one takes back its own check alone", async (host) => {
    const [one, two] = [
      { network: "net1", containerId: "a-b", ifname: "c" },
      { network: "net1", containerId: "a", ifname: "b-c" },
    ];
    for (const port of ["p1", "p2"] as const) await addPort(host, port);
    await spoofCheck.setUp(one, "p1", MACS.p1);
    const alone = await nftRules();
    await spoofCheck.setUp(two, "p2", MACS.p2);
    await spoofCheck.tearDown(two, ({ name }) => name === "p2");
    expect(await nftRules()).toEqual(alone);
    for (const port of ["p1", "p2"] as const) await removePort(host, port);
    await spoofCheck.tearDown(one);
  });

  hostTest.each(["reference", "ours"])(
    "with the reference in the same chain: %s is there first",
    async (host, first) => {
      const [ours, theirs] = [
        { network: "net1", containerId: "a-b", ifname: "c" },
        { network: "net1", containerId: "a", ifname: "b-c" },
      ];
      for (const port of ["p1", "p2"] as const) await addPort(host, port);
      if (first === "reference") await referenceSpoofCheck(theirs, "p2", MACS.p2);
      await spoofCheck.setUp(ours, "p1", MACS.p1);
      if (first === "reference") {
        expect([await admitted("p1"), await admitted("p2")]).toEqual([[MACS.p1], [MACS.p2]]);
      } else {
        // It takes over the chain that has its names: what it does to others can only be seen.
        await referenceSpoofCheck(theirs, "p2", MACS.p2);
        await expect(spoofCheck.check(ours, "p1", MACS.p1)).rejects.toThrow(/missing or altered/);
      }
      await spoofCheck.check(theirs, "p2", MACS.p2);
      await removePort(host, "p1");
      await spoofCheck.tearDown(ours);
      await spoofCheck.tearDown(ours);
      expect([await admitted("p1"), await admitted("p2")]).toEqual([undefined, [MACS.p2]]);
      await spoofCheck.check(theirs, "p2", MACS.p2);
      await removePort(host, "p2");
      await spoofCheck.tearDown(theirs);
      expect((await nftRules()).filter((line) => line.includes("cni-br-iface"))).toEqual([]);
      await host.run("nft flush ruleset");
    },
  );
});

describe("K2: names longer than a chain's", () => {
  hostTest(
    "as long as the reference has names, they are its names, and it removes what is ours",
    async (host) => {
      for (const length of [1, 100, 111, 128, 232, 233]) {
        const attachment = { network: "net1", containerId: "c".repeat(length), ifname: "eth0" };
        await referenceSpoofCheck(attachment, "veth1", MACS.p1);
        const expected = await nftRules();
        await host.run("nft flush ruleset");
        await spoofCheck.setUp(attachment, "veth1", MACS.p1);
        expect(await nftRules()).toEqual(expected);
        await referenceSpoofCheckRemoval(attachment);
        expect((await nftRules()).filter((line) => line.includes("cni-br-iface"))).toEqual([]);
        await host.run("nft flush ruleset");
      }
    },
  );

  hostTest.each([234, 238, 300, 100_000, LONGEST_ID])("a container id of %d bytes", async (_, length) => {
    const before = await nftRules();
    const attachment = { network: "n".repeat(255), containerId: "c".repeat(length), ifname: "eth0" };
    await spoofCheck.setUp(attachment, "veth1", MACS.p1);
    await spoofCheck.check(attachment, "veth1", MACS.p1);
    await spoofCheck.tearDown(attachment);
    expect(await nftRules()).toEqual(before);
  });
});
