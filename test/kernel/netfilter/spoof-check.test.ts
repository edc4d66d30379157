/** B17: a bridge port lets only its container's address in. Frames decide, then the listing of nft. */

import { describe, expect, test } from "bun:test";
import { hostTest } from "../../support/host-test.ts";
import { expected, rows } from "../../support/rows.ts";
import { attachment, C1, complaint } from "./attached.ts";
import { everything, nftTable } from "./listings.ts";
import { spoofCheck } from "./modules.ts";
import { Listener, send, withNetwork } from "./network.ts";
import { referenceSpoofCheck, referenceSpoofCheckRemoval } from "./reference.ts";

const MAC = "02:00:00:00:00:03";
const SPOOFED = "02:66:66:66:66:66";

test("spoofed frames are dropped, honest ones pass; without the check spoofed ones pass as well", async () => {
  await withNetwork(async (_, network) => {
    const one = await network.container("one", "10.1.2.3/24", "fd00:2::3/64");
    const two = await network.container("two", "10.1.2.4/24", "fd00:2::4/64");
    await using inTwo = await Listener.start(two.namespace, 5353);
    // Whatever address it claims, it knows its neighbour and needs no answer.
    const neighbour = async (mac: string) => {
      await one.namespace.run(`ip link set eth0 address ${mac}`);
      await one.namespace.run("ip neigh replace 10.1.2.4 lladdr 02:00:00:00:00:04 dev eth0 nud permanent");
    };
    await neighbour(SPOOFED);
    expect(await inTwo.heard(one.namespace, "10.1.2.4", "unchecked")).toBe("10.1.2.3");

    await spoofCheck.setUp(attachment("one"), one.port, MAC);
    await send(one.namespace, "10.1.2.4", 5353, "spoofed");
    await neighbour(MAC);
    await send(one.namespace, "10.1.2.4", 5353, "honest");
    // In this order: when the second is there, the first would be.
    expect(await inTwo.senderOf("honest")).toBe("10.1.2.3");
    expect(inTwo.lines.filter((line) => line.endsWith(" spoofed"))).toEqual([]);
    // Another port may have any address.
    await two.namespace.run(`ip link set eth0 address ${SPOOFED}`);
    await using inOne = await Listener.start(one.namespace, 5353);
    await two.namespace.run(`ip neigh replace 10.1.2.3 lladdr ${MAC} dev eth0 nud permanent`);
    expect(await inOne.heard(two.namespace, "10.1.2.3", "free")).toBe("10.1.2.4");

    await spoofCheck.tearDown(attachment("one"), ({ name }) => name === one.port);
    await neighbour(SPOOFED);
    await two.namespace.run("ip link set eth0 address 02:00:00:00:00:04");
    expect(await inTwo.heard(one.namespace, "10.1.2.4", "unchecked again")).toBe("10.1.2.3");
  });
});

hostTest("the rules are the reference's, name by name and comment by comment", async (host) => {
  await referenceSpoofCheck(C1, "veth1", MAC);
  const expected = await nftTable("bridge", "nat");
  expect(expected).toContain('iifname "veth1" jump cni-br-iface-c1-eth0 comment "macspoofchk-c1-eth0"');
  await host.run("nft flush ruleset");
  await spoofCheck.setUp(C1, "veth1", MAC);
  expect(await nftTable("bridge", "nat")).toBe(expected);
  await spoofCheck.tearDown(C1);
});

hostTest(
  "ADD again with another port and address replaces; DEL twice; several attachments keep apart",
  async () => {
    const before = await everything();
    await spoofCheck.setUp(C1, "veth1", MAC);
    const alone = await everything();
    await spoofCheck.setUp(C1, "veth9", SPOOFED);
    await spoofCheck.check(C1, "veth9", SPOOFED);
    expect((await everything()).join("\n")).not.toContain("veth1");
    await spoofCheck.setUp(C1, "veth1", MAC);
    expect(await everything()).toEqual(alone);
    await spoofCheck.setUp(attachment("c1", "eth1"), "veth2", SPOOFED);
    await spoofCheck.setUp(attachment("c10"), "veth3", MAC);
    await spoofCheck.tearDown(C1);
    await spoofCheck.tearDown(C1);
    await spoofCheck.check(attachment("c1", "eth1"), "veth2", SPOOFED);
    await spoofCheck.check(attachment("c10"), "veth3", MAC);
    await spoofCheck.tearDown(attachment("c1", "eth1"));
    await spoofCheck.tearDown(attachment("c10"));
    expect(await everything()).toEqual(before);
  },
);

describe("with the reference", () => {
  hostTest("it ADDs: our CHECK passes, our DEL leaves what its own leaves", async (host) => {
    await referenceSpoofCheck(attachment("c0"), "veth0", MAC);
    await referenceSpoofCheckRemoval(attachment("c0"));
    const before = await everything();
    await referenceSpoofCheck(C1, "veth1", MAC);
    await spoofCheck.check(C1, "veth1", MAC);
    await spoofCheck.tearDown(C1);
    expect(await everything()).toEqual(before);
    await host.run("nft flush ruleset");
  });

  hostTest("ours ADDs: its DEL leaves nothing of it", async (host) => {
    await referenceSpoofCheck(attachment("c0"), "veth0", MAC);
    await referenceSpoofCheckRemoval(attachment("c0"));
    const before = await everything();
    await spoofCheck.setUp(C1, "veth1", MAC);
    await referenceSpoofCheckRemoval(C1);
    expect(await everything()).toEqual(before);
    await host.run("nft flush ruleset");
  });
});

hostTest("what someone keeps in the table stays, and so does the chain's policy", async (host) => {
  await host.run(`
    set -e
    nft add table bridge nat
    nft 'add chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy drop; }'
    nft add rule bridge nat PREROUTING iifname lan0 accept
    nft 'add chain bridge nat cni-br-iface-foreign'
    nft add rule bridge nat PREROUTING iifname lan1 jump cni-br-iface-foreign`);
  const before = await everything();
  await spoofCheck.setUp(C1, "veth1", MAC);
  await spoofCheck.tearDown(C1);
  await spoofCheck.collect();
  expect(await everything()).toEqual(before);
  expect(before.join("\n")).toContain('"policy":"drop"');
  await host.run("nft flush ruleset");
});

describe("G17: CHECK names what is lost", () => {
  const MUTATIONS = rows<[string, string]>(`
    nft flush ruleset => /table bridge nat has no chain cni-br-iface-c1-eth0; .*-mac/
    nft flush chain bridge nat PREROUTING => /no rule that leads frames of "veth1" to chain cni-br-iface-c1-eth0/
    nft flush chain bridge nat cni-br-iface-c1-eth0 => /chain cni-br-iface-c1-eth0 of table bridge nat has other rules/
    nft flush chain bridge nat cni-br-iface-c1-eth0-mac => /-mac of table bridge nat has other rules than those that let only 02:00:00:00:00:03 pass/
    nft insert rule bridge nat cni-br-iface-c1-eth0-mac accept => /-mac of table bridge nat has other rules/
    nft add rule bridge nat cni-br-iface-c1-eth0-mac counter drop => /-mac of table bridge nat has other rules/
  `);
  hostTest.each([...MUTATIONS])("%s", async (host, mutation, message) => {
    await spoofCheck.setUp(C1, "veth1", MAC);
    await host.run(mutation);
    expect(await complaint(spoofCheck.check(C1, "veth1", MAC))).toMatch(expected(message));
    await spoofCheck.setUp(C1, "veth1", MAC);
    await spoofCheck.check(C1, "veth1", MAC);
    await spoofCheck.tearDown(C1);
    await host.run("nft flush ruleset");
  });

  hostTest("K13: what only counts or logs is no loss", async (host) => {
    await spoofCheck.setUp(C1, "veth1", MAC);
    for (const chain of ["PREROUTING", "cni-br-iface-c1-eth0", "cni-br-iface-c1-eth0-mac"]) {
      for (const watches of ["counter", "ether type ip counter", "log prefix x", "counter log"]) {
        await host.run(
          `nft insert rule bridge nat ${chain} ${watches}; nft add rule bridge nat ${chain} ${watches}`,
        );
        await spoofCheck.check(C1, "veth1", MAC);
      }
    }
    await host.run("nft insert rule bridge nat cni-br-iface-c1-eth0-mac log accept");
    expect(await complaint(spoofCheck.check(C1, "veth1", MAC))).toContain(
      "-mac of table bridge nat has other rules",
    );
    await spoofCheck.tearDown(C1);
    await host.run("nft flush ruleset");
  });

  hostTest("another port or address than the rules are for", async () => {
    await spoofCheck.setUp(C1, "veth1", MAC);
    expect(await complaint(spoofCheck.check(C1, "veth2", MAC))).toContain(
      'no rule that leads frames of "veth2"',
    );
    expect(await complaint(spoofCheck.check(C1, "veth1", SPOOFED))).toContain(SPOOFED);
    expect(await complaint(spoofCheck.check(C1, "veth1", MAC))).toContain("nothing to complain");
    await spoofCheck.tearDown(C1);
  });
});

hostTest("G1: GC removes the checks of ports that are gone, those of living ports stay", async (host) => {
  await host.run("ip link add veth1 type veth peer name veth2");
  await spoofCheck.setUp(C1, "veth1", MAC);
  await spoofCheck.setUp(attachment("c2"), "gone1", MAC);
  await referenceSpoofCheck(attachment("c3"), "gone2", MAC);
  await spoofCheck.collect();
  await spoofCheck.check(C1, "veth1", MAC);
  expect((await everything()).join("\n")).not.toMatch(/c2-eth0|c3-eth0|gone/);
  await host.run("ip link delete veth1");
  await spoofCheck.collect();
  await spoofCheck.collect();
});

hostTest("rules that were saved and loaded again are still ours", async (host) => {
  await spoofCheck.setUp(C1, "veth1", MAC);
  await spoofCheck.setUp(attachment("c2"), "veth2", SPOOFED);
  await host.run("nft list ruleset >/run/saved && nft flush ruleset && nft -f /run/saved && rm /run/saved");
  await spoofCheck.check(C1, "veth1", MAC);
  await spoofCheck.tearDown(C1);
  await spoofCheck.check(attachment("c2"), "veth2", SPOOFED);
  await spoofCheck.tearDown(attachment("c2"));
  expect((await everything()).join("\n")).not.toContain("cni-br-iface");
  await host.run("nft flush ruleset");
});

hostTest("container ids that are too long for a comment", async () => {
  const who = attachment("0".repeat(120));
  await spoofCheck.setUp(who, "veth1", MAC);
  await spoofCheck.check(who, "veth1", MAC);
  await spoofCheck.tearDown(who);
});
