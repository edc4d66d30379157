/** iptables-legacy: rules in x_tables, one child process for each family, and the lock that all of them take. */

import { describe, expect } from "bun:test";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { code } from "../../../src/cni/error.ts";
import { iptablesChain } from "../../../src/netfilter/attachment-names.ts";
import { updateChain } from "../../../src/netfilter/iptables/nat-table.ts";
import { withDeadline, withoutDeadline } from "../../support/call-time.ts";
import { outcomeOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { testUnless } from "../../support/skip.ts";
import * as attached from "./attached.ts";
import { attachment, C1, cniError } from "./attached.ts";
import { iptablesRules } from "./listings.ts";
import { masquerade } from "./modules.ts";
import { callAtOnce } from "./parallel.ts";
import { legacyHost, Programs, whyNoLegacy } from "./programs.ts";
import { referenceAddIptables, referenceDelIptables } from "./reference.ts";

const ADDRESSES = ["10.1.2.3/24", "fd00:2::3/64"];
const setUp = (who: Attachment, ...addresses: string[]) => attached.setUp("iptables", who, ...addresses);
const check = (who: Attachment, ...addresses: string[]) => attached.check("iptables", who, ...addresses);

/** Rules of both families, and notes apart. */
async function rules(): Promise<{ rules: string[]; notes: string[] }> {
  const all = [...(await iptablesRules("iptables-legacy")), ...(await iptablesRules("ip6tables-legacy"))];
  return {
    rules: all.filter((line) => !line.includes("if: ")),
    notes: all.filter((line) => line.includes("if: ")),
  };
}

const legacyTest = hostTests({}, testUnless(await whyNoLegacy()));

describe("the host's iptables is legacy", () => {
  legacyTest("the rules are those of the reference, and a note for each address", async () => {
    await using _ = await legacyHost();
    await referenceAddIptables(C1, ADDRESSES, "legacy");
    const expected = await rules();
    await referenceDelIptables(C1, ADDRESSES, "legacy");
    await setUp(C1, ...ADDRESSES);
    const ours = await rules();
    expect(ours.rules).toEqual(expected.rules);
    expect(ours.notes).toEqual([
      `-A ${iptablesChain(C1)} -s 10.1.2.3/32 -m comment --comment "name: \\"net1\\" id: \\"c1\\" if: \\"eth0\\""`,
      `-A ${iptablesChain(C1)} -s fd00:2::3/128 -m comment --comment "name: \\"net1\\" id: \\"c1\\" if: \\"eth0\\""`,
    ]);
    await masquerade.tearDown(C1);
    expect(await rules()).toEqual({ rules: [], notes: [] });
  });

  legacyTest(
    "G27: one child for each family on ADD and on DEL, none for what is done already or only read",
    async () => {
      await using programs = await legacyHost(true);
      const childrenOf = async (action: () => Promise<void>): Promise<number> => {
        const before = programs.calls().length;
        await action();
        return programs.calls().length - before;
      };
      expect(await childrenOf(() => setUp(C1, "10.1.2.3/24"))).toBe(1);
      expect(await childrenOf(() => setUp(C1, "10.1.2.3/24"))).toBe(0);
      expect(await childrenOf(() => setUp(attachment("c2"), ...ADDRESSES))).toBe(2);
      expect(await childrenOf(() => check(attachment("c2"), ...ADDRESSES))).toBe(0);
      expect(await childrenOf(() => masquerade.requireUsable("iptables"))).toBe(0);
      expect(await childrenOf(() => masquerade.tearDown(C1))).toBe(1);
      expect(await childrenOf(() => masquerade.tearDown(attachment("c2")))).toBe(2);
      expect(await childrenOf(() => masquerade.tearDown(attachment("c2")))).toBe(0);
    },
  );

  legacyTest("G16, and the reference in both directions", async () => {
    await using _ = await legacyHost();
    await setUp(attachment("c1", "eth0"), "10.1.2.3/24");
    await setUp(attachment("c1", "eth1"), "10.1.3.3/24");
    await masquerade.tearDown(attachment("c1", "eth0"));
    await masquerade.tearDown(attachment("c1", "eth0"));
    await check(attachment("c1", "eth1"), "10.1.3.3/24");
    await masquerade.tearDown(attachment("c1", "eth1"));
    expect(await rules()).toEqual({ rules: [], notes: [] });

    await referenceAddIptables(C1, ADDRESSES, "legacy");
    await check(C1, ...ADDRESSES);
    await masquerade.tearDown(C1);
    expect(await rules()).toEqual({ rules: [], notes: [] });

    await setUp(C1, ...ADDRESSES);
    await referenceDelIptables(C1, ADDRESSES, "legacy");
    expect(await rules()).toEqual({ rules: [], notes: [] });
  });

  legacyTest("G1, G17: GC and CHECK", async (host) => {
    await using _ = await legacyHost();
    await setUp(C1, ...ADDRESSES);
    await setUp(attachment("c2"), "10.1.2.4/24");
    await masquerade.collect("net1", [{ containerId: "c1", ifname: "eth0" }]);
    await check(C1, ...ADDRESSES);
    expect((await rules()).rules.join("\n")).not.toContain("10.1.2.4");
    await host.run("iptables-legacy -t nat -F POSTROUTING");
    const failure = check(C1, ...ADDRESSES);
    await expect(failure).rejects.toThrow(
      /chain POSTROUTING of the nat table of iptables-legacy lacks the rule "-A POSTROUTING -s 10\.1\.2\.3\/32/,
    );
    await masquerade.collect("net1", []);
    expect(await rules()).toEqual({ rules: [], notes: [] });
  });

  legacyTest(
    "G17: rules that are whole in the other variant count, whatever this one's chain has left",
    async (host) => {
      const before = await rules();
      {
        await using _ = await legacyHost();
        await setUp(C1, ...ADDRESSES);
      }
      await host.run("iptables-legacy -t nat -F; ip6tables-legacy -t nat -F");
      await setUp(C1, ...ADDRESSES);
      {
        await using _ = await legacyHost();
        await check(C1, ...ADDRESSES);
        await host.run("iptables-nft -t nat -F POSTROUTING");
        await expect(check(C1, ...ADDRESSES)).rejects.toThrow(/missing or altered.*"-A POSTROUTING/);
        await masquerade.tearDown(C1);
        expect(await rules()).toEqual(before);
      }
      await host.run("nft flush ruleset");
    },
  );

  legacyTest("DELs of a container's interfaces at the same time leave no chain", async () => {
    await using _ = await legacyHost();
    const names = ["eth0", "eth1", "eth2", "eth3"];
    for (const [index, ifname] of names.entries())
      await setUp(attachment("c1", ifname), `10.1.2.${index + 2}/24`);
    expect(await callAtOnce(names.map((ifname) => ["del", "c1", ifname]))).toEqual(names.map(() => 0));
    expect(await rules()).toEqual({ rules: [], notes: [] });
  });

  legacyTest("the lock is held by another program: waits, then code 11 names the lock", async () => {
    await using _ = await legacyHost();
    const holder = Bun.spawn(["flock", "--no-fork", "/run/xtables.lock", "sleep", "60"]);
    try {
      await eventually("the lock is held", async () => {
        return (await outcomeOf(["flock", "--nonblock", "/run/xtables.lock", "true"])).exitCode === 1;
      });
      withDeadline(500);
      const error = await cniError(setUp(C1, "10.1.2.3/24"));
      expect(error.code).toBe(code.tryAgainLater);
      expect(error.message).toContain("another program has held the lock /run/xtables.lock");
    } finally {
      withoutDeadline();
      holder.kill("SIGKILL");
      await holder.exited;
    }
    expect(await rules()).toEqual({ rules: [], notes: [] });
  });

  legacyTest("K2: a change that is never what is read afterwards comes to an end", async (host) => {
    await using programs = await legacyHost(true);
    const chain = iptablesChain(C1);
    const rule = { comment: "another one each time", verdict: "accept" } as const;
    const update = () =>
      updateChain({ family: 4, connection: undefined }, chain, (state) => [
        ...(state === undefined ? [{ action: "add chain", chain } as const] : []),
        { action: "append", chain, rule },
      ]);
    await expect(update()).rejects.toThrow(
      /cannot change chain CNI-.* of the nat table of iptables-legacy: after 20 attempts/,
    );
    expect(programs.calls()).toHaveLength(20);
    await host.run(`iptables-legacy -t nat -F ${chain}; iptables-legacy -t nat -X ${chain}`);
  });

  legacyTest("iptables-restore refuses: its words are in the error", async () => {
    await using programs = await Programs.replace();
    programs.trap("iptables-legacy-restore");
    programs.link("iptables-restore", "iptables-legacy-restore");
    const failure = setUp(C1, "10.1.2.3/24");
    await expect(failure).rejects.toThrow(
      'cannot change the nat table with "/usr/local/sbin/iptables-legacy-restore" (exit status 1): it printed no message',
    );
  });
});
