/** B27: which backend it is when nobody says, and what there is to say when neither works. No child processes. */
import { describe, expect } from "bun:test";
import { code } from "../../../src/cni/error.ts";
import { hostTest } from "../../support/host-test.ts";
import { C1, cniError } from "./attached.ts";
import { iptablesRules, nftTable } from "./listings.ts";
import { masquerade, spoofCheck } from "./modules.ts";
import { prefixes } from "./prefixes.ts";
import { Programs } from "./programs.ts";

const ADDRESSES = prefixes("10.1.2.3/24", "fd00:2::3/64");

/** All files that iptables consists of: the commands are links to them. */
const FILES = ["/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi"];

/** Runs `action` with an empty PATH. */
async function withoutPath<T>(action: () => Promise<T>): Promise<T> {
  const path = process.env.PATH;
  process.env.PATH = "";
  try {
    return await action();
  } finally {
    process.env.PATH = path;
  }
}

describe("the host has iptables-nft", () => {
  hostTest("the default is iptables, found with an empty PATH; its program is not called once", async () => {
    await using programs = await Programs.replace();
    for (const name of ["iptables", "ip6tables"]) {
      programs.trap(`${name}-nft-restore`);
      programs.link(`${name}-restore`, `${name}-nft-restore`);
      for (const other of ["", "-save", "-nft", "-nft-save"]) programs.trap(`${name}${other}`);
    }
    programs.trap("nft");
    await withoutPath(async () => {
      await masquerade.requireUsable(undefined);
      await masquerade.setUp(undefined, C1, ADDRESSES);
      await masquerade.check(undefined, C1, ADDRESSES);
      await masquerade.check("iptables", C1, ADDRESSES);
    });
    expect(programs.calls()).toEqual([]);
    expect(await iptablesRules("/usr/sbin/iptables-nft")).not.toEqual([]);
    await withoutPath(() => masquerade.tearDown(C1));
    expect(programs.calls()).toEqual([]);
  });

  hostTest("a program that is no link to one of iptables' files is asked for its variant", async () => {
    await using programs = await Programs.replace();
    programs.trap("iptables-restore", "/usr/sbin/iptables-nft-restore");
    await masquerade.setUp(undefined, C1, prefixes("10.1.2.3/24"));
    expect(programs.calls()).toEqual(["iptables-restore --version"]);
    expect(await iptablesRules("iptables-nft")).not.toEqual([]);
    await masquerade.tearDown(C1);
  });
});

describe("the host has no iptables", () => {
  const withoutIptables = (name: string, body: (programs: Programs) => Promise<void>) =>
    hostTest(name, async () => {
      await using programs = await Programs.replace();
      for (const file of FILES) await programs.disable(file);
      await body(programs);
    });

  withoutIptables("the default is nftables, with an empty PATH and without nft", async (programs) => {
    await programs.disable("/usr/sbin/nft");
    await withoutPath(async () => {
      await masquerade.requireUsable(undefined);
      await masquerade.setUp(undefined, C1, ADDRESSES);
      await masquerade.check(undefined, C1, ADDRESSES);
      await masquerade.check("nftables", C1, ADDRESSES);
      await spoofCheck.setUp(C1, "veth1", "02:00:00:00:00:01");
      await spoofCheck.tearDown(C1);
      await masquerade.tearDown(C1);
    });
  });

  withoutIptables("nft lists what was written without it", async () => {
    await masquerade.setUp(undefined, C1, ADDRESSES);
    expect(await nftTable("inet", "cni_plugins_masquerade")).toContain("ip saddr { 10.1.2.3 }");
    await masquerade.tearDown(C1);
  });

  withoutIptables(
    "iptables was asked for: the error says what is missing and what to do, before anything is changed",
    async () => {
      const words =
        'cannot masquerade with iptables: there is no program iptables-restore in the system\'s folders or on PATH; install iptables, or set "ipMasqBackend": "nftables"';
      const unusable = await cniError(masquerade.requireUsable("iptables"));
      expect([unusable.code, unusable.message]).toEqual([code.notAvailable, words]);
      const failed = await cniError(masquerade.setUp("iptables", C1, ADDRESSES));
      expect(failed.code).toBe(code.internal);
      expect(failed.message).toContain('install iptables, or set "ipMasqBackend": "nftables"');
    },
  );

  hostTest("what an iptables that is gone has left is still removed", async () => {
    await masquerade.setUp("iptables", C1, ADDRESSES);
    await using programs = await Programs.replace();
    for (const file of FILES) await programs.disable(file);
    await masquerade.tearDown(C1);
  });
});

describe("STATUS changes nothing", () => {
  hostTest.each([undefined, "iptables", "nftables"] as const)("%p", (_, backend) =>
    masquerade.requireUsable(backend),
  );
});
