/** The rules in iptables-legacy, which keeps no owners (F20, F30, F33, F36). */
import { describe, expect } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { BRIDGE } from "../bridge/network.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import {
  addressLines,
  collect,
  container,
  type Firewall,
  filterRules,
  firewalled,
  firewallTests,
  layout,
} from "./network.ts";
import { referenceAdd, referenceDel } from "./reference.ts";

const legacyTest = firewallTests(testUnless(await whyNoLegacy()));

const rules = async (host: ScratchHost) => [
  await filterRules(host, "iptables-legacy"),
  await filterRules(host, "ip6tables-legacy"),
];

/** The rules do not depend on the order of parallel calls. */
const sorted = (lines: readonly string[]): string[] => [...lines].sort();

legacyTest.each(["open", "same-bridge", "isolated"])(
  "F7, F8: the layout with policy %s by one child a family, and nothing left",
  async (host, policy) => {
    await using programs = await legacyHost(true);
    const one = await container(host, "c1", { ingressPolicy: policy });
    await one.add();
    expect(programs.calls()).toHaveLength(2);
    const wanted = [layout([one.v4], policy), layout([one.v6], policy)];
    expect(await rules(host)).toEqual(wanted);
    await one.add();
    expect(programs.calls()).toHaveLength(2);
    await one.check();
    // F30: the lease tells the addresses.
    await one.del();
    expect(programs.calls()).toHaveLength(4);
    expect(await rules(host)).toEqual([[], []]);
    await one.del();
    await one.attachment.del();
  },
);

legacyTest("F21: each side removes the other's rules", async (host) => {
  await using _programs = await legacyHost();
  const one = await container(host, "c1");
  await referenceAdd([one.v4, one.v6], undefined, "-legacy");
  await one.check({ acceptPublished: false });
  await one.del({});
  expect(await rules(host)).toEqual([[], []]);
  await one.add();
  await referenceDel([one.v4, one.v6], "-legacy");
  expect(await filterRules(host, "iptables-legacy")).toEqual([...layout([]), addressLines(one.v4)[1] ?? ""]);
  await one.del();
  expect(await rules(host)).toEqual([[], []]);
  await one.attachment.del();
});

legacyTest("F33: the rules of a bridge go with the last address of its network", async (host) => {
  await using _programs = await legacyHost();
  const one = await firewalled(host, "c1", { ingressPolicy: "isolated" });
  const two = await firewalled(host, "c2", { ingressPolicy: "same-bridge" });
  const ofBridge = async () =>
    (await filterRules(host, "iptables-legacy")).filter((line) => line.includes(BRIDGE));
  const wanted = layout([], "same-bridge").filter((line) => line.includes(BRIDGE));
  expect(await ofBridge()).toEqual(wanted);
  await one.del({});
  expect(await ofBridge()).toEqual(wanted);
  await two.check();
  await two.del({});
  expect(await rules(host)).toEqual([[], []]);
  for (const each of [one, two]) await each.attachment.del();
});

legacyTest("F31: GC removes what no lease holds", async (host) => {
  await using _programs = await legacyHost();
  const one = await firewalled(host, "c1");
  const two = await firewalled(host, "c2");
  await two.attachment.del();
  await collect(host, ["c1"]);
  expect(await filterRules(host, "iptables-legacy")).toEqual(layout([one.v4]));
  await one.del();
  await one.attachment.del();
});

legacyTest("F35: an ADD that fails at its second family takes back the rules of the first", async (host) => {
  await using programs = await legacyHost();
  const one = await container(host, "c1");
  programs.trap("ip6tables-legacy-restore");
  expect((await one.failure("ADD")).msg).toContain("ip6tables-legacy-restore");
  expect(await rules(host)).toEqual([[], []]);
  await one.attachment.del();
});

legacyTest("F36: 8 first ADDs at once write each shared rule once, and 8 DELs remove all", async (host) => {
  await using _programs = await legacyHost();
  const containers: Firewall[] = [];
  for (let index = 0; index < 8; index++)
    containers.push(await container(host, `c${index}`, { ingressPolicy: "isolated" }));
  await Promise.all(containers.map((each) => each.add()));
  const all = containers.map(({ v4 }) => v4);
  expect(sorted(await filterRules(host, "iptables-legacy"))).toEqual(sorted(layout(all, "isolated")));
  await Promise.all(containers.map((each) => each.del()));
  expect(await rules(host)).toEqual([[], []]);
  for (const each of containers) await each.attachment.del();
});

describe("both variants", () => {
  legacyTest("F20: where the other variant may drop packets, they are accepted too", async (host) => {
    await host.run("iptables-legacy -P FORWARD DROP");
    const one = await firewalled(host, "c1");
    expect(await filterRules(host)).toEqual(layout([one.v4]));
    expect(await filterRules(host, "iptables-legacy")).toEqual(layout([one.v4]));
    // It has no rules for IPv6, nor a policy that drops.
    expect(await filterRules(host, "ip6tables-legacy")).toEqual([]);
    await one.check();
    await one.del();
    expect(await filterRules(host, "iptables-legacy")).toEqual([]);
    expect(await filterRules(host)).toEqual([]);
    await host.run("iptables-legacy -P FORWARD ACCEPT");
    await one.attachment.del();
  });
});
