/** The firewall's own table of nf_tables (F20, F30, F33, F34, F36, F42). */
import { describe, expect } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { BRIDGE } from "../bridge/network.ts";
import {
  collect,
  container,
  type Firewall,
  filterRules,
  firewalled,
  firewallTest,
  OTHER,
} from "./network.ts";

const BACKEND = { backend: "nftables" };
const TABLE = "inet cni_firewall";

/** The elements of each set of the table, as nft lists them; none if there is no table. */
async function elements(host: ScratchHost): Promise<Record<string, string>> {
  type Set = { name: string; elem?: unknown[] };
  type Entry = { set?: Set; map?: Set };
  const { nftables } = await host.json<{ nftables: Entry[] }>(
    `nft -j list table ${TABLE} 2>/dev/null || echo '{"nftables":[]}'`,
  );
  const found: Record<string, string> = {};
  for (const { set, map } of nftables) {
    const { name, elem = [] } = set ?? map ?? { name: "" };
    if (elem.length > 0) found[name] = JSON.stringify(elem);
  }
  return found;
}

/** The texts of the rules of a chain. */
const rulesOf = async (host: ScratchHost, chain: string): Promise<string[]> =>
  (await host.run(`nft list chain ${TABLE} ${chain}`)).split("\n").filter((line) => line.includes("comment"));

firewallTest.each(["open", "same-bridge", "isolated"])(
  "F42: the backend nftables with policy %s, and nothing left",
  async (host, ingressPolicy) => {
    const one = await container(host, "c1", { ...BACKEND, ingressPolicy });
    await host.unchangedBy(async () => {
      expect(await one.add()).toEqual(one.attachment.result);
      await one.add();
      await host.unchangedBy(() => one.check());
      expect(await filterRules(host)).toEqual([]);
      const found = await elements(host);
      expect(Object.keys(found).sort()).toEqual(
        [
          "addresses_v4",
          "addresses_v6",
          "published_v4",
          "published_v6",
          ...(ingressPolicy === "open" ? [] : ["bridges", "within"]),
        ].sort(),
      );
      expect(found.addresses_v4).toContain(`"${one.v4}"`);
      expect(found.addresses_v4).toContain("net: testnet, if: eth0, id: c1");
      if (ingressPolicy !== "open") {
        expect(found.bridges).toBe(`["${BRIDGE}"]`);
        expect(found.within).toContain(ingressPolicy === "isolated" ? '{"drop":null}' : '{"return":null}');
      }
      await one.del();
      await one.del();
    });
    await one.attachment.del();
  },
);

firewallTest(
  "F20: addresses have rules only where iptables has no chain of forwarded packets",
  async (host) => {
    const one = await firewalled(host, "c1", BACKEND);
    expect(await rulesOf(host, "forward")).toHaveLength(8);
    await host.run("iptables -P FORWARD DROP");
    const two = await firewalled(host, "c2", BACKEND);
    expect(await rulesOf(host, "forward")).toHaveLength(2);
    for (const each of [one, two]) {
      await each.check();
      await each.del();
      await each.attachment.del();
    }
    await host.run("nft delete table ip filter");
  },
);

firewallTest(
  "F33: a bridge's policy changes, is kept by other networks, and goes with its last attachment",
  async (host) => {
    const isolated = await firewalled(host, "c1", { ...BACKEND, ingressPolicy: "isolated" });
    const port = async () =>
      (await host.json<{ isolated: boolean }[]>(`bridge -j -d link show dev ${isolated.attachment.veth}`))[0]
        ?.isolated;
    expect(await port()).toBe(true);
    const same = await firewalled(host, "c2", { ...BACKEND, ingressPolicy: "same-bridge" });
    expect((await elements(host)).within).toContain('{"return":null}');
    expect(await port()).toBe(false);
    // Another network of the bridge cannot open it.
    const open = await firewalled(host, "c3", { ...BACKEND, name: "open" });
    expect((await elements(host)).bridges).toContain(BRIDGE);
    await isolated.del();
    await same.del();
    expect(await elements(host)).not.toHaveProperty("bridges");
    await open.check();
    await open.del();
    for (const each of [isolated, same, open]) await each.attachment.del();
  },
);

firewallTest(
  "F33: a table that nft has saved and loaded isolates a bridge until its last attachment goes",
  async (host) => {
    const isolated = { ...BACKEND, ingressPolicy: "isolated" };
    const first = await firewalled(host, "c1", isolated);
    const second = await firewalled(host, "c2", isolated);
    const file = "/run/rules";
    await host.run(`nft list ruleset >${file} && nft flush ruleset && nft -f ${file} && rm ${file}`);
    // Our records are lost: any attachment of the bridge may want the policy.
    const open = await firewalled(host, "c3", { ...BACKEND, name: "open" });
    for (const gone of [first, second]) {
      expect((await elements(host)).within).toContain('{"drop":null}');
      await gone.del();
    }
    expect((await elements(host)).within).toContain('{"drop":null}');
    await open.del();
    expect(await elements(host)).toEqual({});
    await host.run(`nft delete table ${TABLE}`);
    for (const each of [first, second, open]) await each.attachment.del();
  },
);

firewallTest("F33, F34: half of a policy is reported, mended by ADD, and removed by DEL", async (host) => {
  const one = await firewalled(host, "c1", { ...BACKEND, ingressPolicy: "isolated" });
  for (const part of ["set inet cni_firewall bridges", "map inet cni_firewall within"]) {
    await host.run(`nft flush ${part}`);
    expect(await one.loss()).toContain(`does not make bridge "${BRIDGE}" "isolated"`);
    await one.add();
    await one.check();
    await host.run(`nft flush ${part}`);
    await one.del();
    expect(await elements(host)).toEqual({});
    await one.add();
  }
  await one.del();
  await one.attachment.del();
});

firewallTest("F33: DEL leaves the policy of each bridge that another attachment uses", async (host) => {
  const isolated = { ...BACKEND, ingressPolicy: "isolated" };
  const first = await firewalled(host, "c1", isolated);
  const second = await firewalled(host, "c2", isolated);
  const third = await firewalled(host, "c3", isolated, OTHER);
  const gone = await firewalled(host, "c4", isolated, OTHER);
  const bridges = async () => (JSON.parse((await elements(host)).bridges ?? "[]") as string[]).sort();
  for (const each of [gone, first]) {
    await each.del();
    expect(await bridges()).toEqual([BRIDGE, "br1"]);
    for (const bridge of [BRIDGE, "br1"]) expect((await elements(host)).within).toContain(`"${bridge}"`);
    await second.check();
    await third.check();
  }
  await third.del();
  expect(await bridges()).toEqual([BRIDGE]);
  await second.check();
  await second.del();
  for (const each of [first, second, third, gone]) await each.attachment.del();
});

firewallTest("F7: chains of several administrators, whose rules stay after the last DEL", async (host) => {
  const one = await firewalled(host, "c1", { ...BACKEND, iptablesAdminChainName: "FIRST" });
  const two = await firewalled(host, "c2", { ...BACKEND, iptablesAdminChainName: "SECOND" });
  expect((await host.run(`nft list chain ${TABLE} forward`)).match(/jump \S+/g)).toEqual([
    "jump isolation",
    "jump FIRST",
    "jump SECOND",
  ]);
  for (const each of [one, two]) await each.check();
  await host.run(`nft add rule ${TABLE} FIRST ip saddr 192.0.2.9 drop`);
  for (const each of [one, two]) await each.del();
  expect(await host.run(`nft list chain ${TABLE} FIRST`)).toContain("192.0.2.9");
  await host.run(`nft flush chain ${TABLE} FIRST`);
  await one.add();
  await one.del();
  expect(await host.run("nft list tables")).toBe("");
  for (const each of [one, two]) await each.attachment.del();
});

describe("F34: CHECK names what is missing", () => {
  firewallTest.each([
    ["flush chain inet cni_firewall isolation", "chain isolation of table inet cni_firewall has other rules"],
    ["flush chain inet cni_firewall forward", "chain forward of table inet cni_firewall has other rules"],
    [
      "insert rule inet cni_firewall forward accept",
      "chain forward of table inet cni_firewall has other rules",
    ],
    [
      "delete element inet cni_firewall addresses_v4 { 10.77.0.2 }",
      "set addresses_v4 of table inet cni_firewall lacks 10.77.0.2",
    ],
    ["flush set inet cni_firewall published_v6", "set published_v6 of table inet cni_firewall lacks fd77::2"],
    [
      "delete element inet cni_firewall bridges { br0 }; delete element inet cni_firewall within { br0 . br0 }",
      'does not make bridge "br0" "isolated"',
    ],
    [
      "delete element inet cni_firewall within { br0 . br0 }; add element inet cni_firewall within { br0 . br0 : return }",
      'does not make bridge "br0" "isolated"',
    ],
    ["delete table inet cni_firewall", "there is no table inet cni_firewall"],
  ])("%s", async (host, mutation, message) => {
    const one = await firewalled(host, "c1", { ...BACKEND, ingressPolicy: "isolated" });
    await host.run(`nft '${mutation}'`);
    await host.unchangedBy(async () => expect(await one.loss()).toContain(message));
    // A policy that is gone with its elements is made again, whatever is left of it.
    if (!mutation.includes("within")) {
      await one.add();
      await one.check();
    }
    await one.del();
    await one.attachment.del();
    await host.run("nft flush ruleset");
  });
});

firewallTest("F31: GC keeps what is listed, and other networks", async (host) => {
  const one = await firewalled(host, "c1", BACKEND);
  const two = await firewalled(host, "c2", BACKEND);
  const other = await firewalled(host, "c3", BACKEND, OTHER);
  await collect(host, ["c1"]);
  const { addresses_v4 } = await elements(host);
  expect([one, two, other].map(({ v4 }) => addresses_v4?.includes(`"${v4}"`))).toEqual([true, false, true]);
  await collect(host, []);
  await one.check();
  await one.attachment.del();
  await collect(host, []);
  expect((await elements(host)).addresses_v4).not.toContain(`"${one.v4}"`);
  await other.del();
  for (const each of [two, other]) await each.attachment.del();
});

firewallTest("F30: an address that another attachment has now is that one's", async (host) => {
  const one = await firewalled(host, "c1", BACKEND);
  const { result } = one.attachment;
  const heir = await container(host, "c2", BACKEND);
  await heir.add({ prevResult: result });
  expect(await one.loss()).toContain("is another attachment's");
  await one.del({});
  await heir.check({ prevResult: result });
  await heir.del();
  for (const each of [one, heir]) await each.attachment.del();
});

firewallTest("F36: 16 first ADDs at once, and 16 DELs", async (host) => {
  const containers: Firewall[] = [];
  for (let index = 0; index < 16; index++)
    containers.push(await container(host, `c${index}`, { ...BACKEND, ingressPolicy: "same-bridge" }));
  await Promise.all(containers.map((each) => each.add()));
  expect(await rulesOf(host, "forward")).toHaveLength(8);
  expect(await rulesOf(host, "isolation")).toHaveLength(2);
  const { addresses_v4 } = await elements(host);
  for (const { v4 } of containers) expect(addresses_v4).toContain(`"${v4}"`);
  await Promise.all(containers.map((each) => each.del()));
  expect(await host.run("nft list tables")).toBe("");
  for (const each of containers) await each.attachment.del();
});
