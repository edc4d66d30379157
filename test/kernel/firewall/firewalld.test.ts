/** firewalld: sources in its zone, its reload, and what is used beside it (F2, F14, F15, F17, F34, F35, F41). */
import { expect } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { Listener } from "../netfilter/network.ts";
import { Firewalld, whyNoFirewalld } from "./firewalld.ts";
import {
  collect,
  container,
  type Firewall,
  filterRules,
  firewalled,
  firewallTests,
  hostCall,
} from "./network.ts";

const firewalldTest = firewallTests(testUnless(whyNoFirewalld()));
const BACKEND = { backend: "firewalld" };

const sourcesOf = (...firewalls: Firewall[]): string[] =>
  firewalls.flatMap(({ v4, v6 }) => [`${v4}/32`, `${v6}/128`]).sort();

const hasOwnTable = async (host: ScratchHost): Promise<boolean> =>
  (await host.run("nft list tables")).includes("inet cni_firewall");

firewalldTest.each([
  ["firewalld", BACKEND],
  ["none", {}],
])("F14: configured backend %s: sources in the zone, and rules in nf_tables", async (host, _, keys) => {
  await using firewalld = await Firewalld.start();
  const one = await container(host, "c1", { ...keys, ingressPolicy: "isolated" });
  const two = await container(host, "c2", { ...keys, ingressPolicy: "isolated" });
  expect(await one.add()).toEqual(one.attachment.result);
  await one.add();
  await two.add();
  expect(await firewalld.sources()).toEqual(sourcesOf(one, two));
  expect(await filterRules(host)).toEqual([]);
  expect(await hasOwnTable(host)).toBe(true);
  await one.check();
  // F30: without a previous result.
  await one.del();
  await one.del();
  expect(await firewalld.sources()).toEqual(sourcesOf(two));
  await two.check();
  await two.del();
  expect(await firewalld.sources()).toEqual([]);
  expect(await hasOwnTable(host)).toBe(false);
  for (const each of [one, two]) await each.attachment.del();
});

firewalldTest(
  "F17, F34, F41: after a reload CHECK names the source and the cause, the isolation stays, ADD puts it back",
  async (host) => {
    await using firewalld = await Firewalld.start();
    const outside = await host.addNamespace("outside");
    await host.run(`
    ip link add up0 type veth peer name eth0 netns outside
    ip addr add 192.0.2.1/24 dev up0; ip link set up0 up
    ip netns exec outside sh -c 'ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.1'`);
    const one = await firewalled(host, "c1", { ingressPolicy: "same-bridge" });
    {
      await using listener = await Listener.start(outside, 5353);
      await listener.heard(one.attachment.namespace, "192.0.2.2", "through firewalld");
    }
    const before = await host.run("nft list table inet cni_firewall");
    await firewalld.command("--reload");
    expect(await firewalld.sources()).toEqual([]);
    expect(await host.run("nft list table inet cni_firewall")).toBe(before);
    const loss = await one.loss();
    for (const source of sourcesOf(one))
      expect(loss).toContain(`zone "trusted" of firewalld lacks the source ${source}`);
    expect(loss).toContain("firewalld runs, and its reload or restart removes");
    await one.add();
    await one.check();
    expect(await firewalld.sources()).toEqual(sourcesOf(one));
    await one.del();
    await one.attachment.del();
    await host.run("ip link del up0");
  },
);

firewalldTest("F15, F35: an address of another zone, and an unknown zone, change nothing", async (host) => {
  await using firewalld = await Firewalld.start();
  const one = await container(host, "c1", BACKEND);
  await firewalld.command("--zone=public", `--add-source=${one.v6}/128`);
  const { code, msg } = await one.failure("ADD");
  expect(code).toBe(999);
  expect(msg).toContain(`failed to add the address ${one.v6}/128 to trusted zone`);
  expect(msg).toContain('it is in zone "public"');
  // The other address is taken back.
  expect(await firewalld.sources()).toEqual([]);
  expect(await hasOwnTable(host)).toBe(false);
  expect((await one.failure("ADD", { firewalldZone: "zz" })).msg).toContain("INVALID_ZONE");
  // DEL leaves the source of the other zone alone.
  await one.del({});
  expect(await firewalld.sources("public")).toEqual([`${one.v6}/128`]);
  await one.add({
    firewalldZone: "home",
    prevResult: { ...one.attachment.result, ips: one.attachment.result.ips.slice(0, 1) },
  });
  expect(await firewalld.sources("home")).toEqual([`${one.v4}/32`]);
  await one.del({ prevResult: undefined, firewalldZone: "home" });
  expect(await firewalld.sources("home")).toEqual([]);
  await one.attachment.del();
});

firewalldTest("F31: GC takes sources of gone attachments out of the zone, and no others", async (host) => {
  await using firewalld = await Firewalld.start();
  const one = await firewalled(host, "c1", BACKEND);
  const two = await firewalled(host, "c2", BACKEND);
  // Of the reference, whose containers are gone; and an administrator's.
  for (const source of ["10.77.0.99/32", "10.99.0.0/16", "192.0.2.9/32"])
    await firewalld.command("--zone=trusted", `--add-source=${source}`);
  await collect(host, ["c1"]);
  expect(await firewalld.sources()).toEqual(["10.99.0.0/16", "192.0.2.9/32", ...sourcesOf(one)].sort());
  await one.del();
  for (const each of [one, two]) await each.attachment.del();
});

firewalldTest(
  "F15, F31: without firewalld the backend firewalld is an error, but not for DEL",
  async (host) => {
    const one = await container(host, "c1", BACKEND);
    await host.unchangedBy(async () => {
      expect((await one.failure("ADD")).msg).toContain("cannot use firewalld: it does not run");
      await one.del();
    });
    {
      await using firewalld = await Firewalld.start(false);
      // The bus alone does not start the service.
      expect((await one.failure("ADD")).msg).toContain("cannot use firewalld: it does not run");
      const { code, msg } = (await hostCall(host, "STATUS", BACKEND)).json<{ code: number; msg: string }>();
      expect(code).toBe(50);
      expect(msg).toContain("cannot use firewalld");
      await firewalld.run();
      expect((await hostCall(host, "STATUS", BACKEND)).exitCode).toBe(0);
      expect((await hostCall(host, "STATUS", { ...BACKEND, firewalldZone: "zz" })).stdout).toContain(
        "INVALID_ZONE",
      );
    }
    await one.attachment.del();
  },
);

firewalldTest("F2: rules that were made before firewalld was stopped are still complete", async (host) => {
  const one = await container(host, "c1");
  {
    await using _firewalld = await Firewalld.start();
    await one.add();
  }
  await one.check();
  await one.del();
  expect(await hasOwnTable(host)).toBe(false);
  await one.attachment.del();
});
