/** B27: which backend it is when nobody says, and what there is to say when neither works. No child processes. */
import { describe, expect, test } from "bun:test";
import { CniError, code } from "../../../src/cni/error.ts";
import * as masquerade from "../../../src/netfilter/masquerade/masquerade.ts";
import * as spoofCheck from "../../../src/netfilter/spoof-check/spoof-check.ts";
import { withScratchHost } from "../../support/scratch-host.ts";
import { iptablesRules, nftTable } from "./listings.ts";
import { prefixes } from "./prefixes.ts";
import { Programs } from "./programs.ts";

const ATTACHMENT = { network: "net1", containerId: "c1", ifname: "eth0" };
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

async function codeOf(promise: Promise<unknown>): Promise<[number | undefined, string]> {
  try {
    await promise;
    return [undefined, "no error"];
  } catch (error) {
    expect(error).toBeInstanceOf(CniError);
    return [(error as CniError).code, (error as CniError).message];
  }
}

describe("the host has iptables-nft", () => {
  test("the default is iptables, found with an empty PATH; its program is not called once", async () => {
    await withScratchHost(async () => {
      await using programs = await Programs.replace();
      for (const name of ["iptables", "ip6tables"]) {
        programs.trap(`${name}-nft-restore`);
        programs.link(`${name}-restore`, `${name}-nft-restore`);
        for (const other of ["", "-save", "-nft", "-nft-save"]) programs.trap(`${name}${other}`);
      }
      programs.trap("nft");
      await withoutPath(async () => {
        await masquerade.requireUsable(undefined);
        await masquerade.setUp(undefined, ATTACHMENT, ADDRESSES);
        await masquerade.check(undefined, ATTACHMENT, ADDRESSES);
        await masquerade.check("iptables", ATTACHMENT, ADDRESSES);
      });
      expect(programs.calls()).toEqual([]);
      expect(await iptablesRules("/usr/sbin/iptables-nft")).not.toEqual([]);
      await withoutPath(() => masquerade.tearDown(ATTACHMENT));
      expect(programs.calls()).toEqual([]);
    });
  });

  test("a program that is no link to one of iptables' files is asked for its variant", async () => {
    await withScratchHost(async () => {
      await using programs = await Programs.replace();
      programs.trap("iptables-restore", "/usr/sbin/iptables-nft-restore");
      await masquerade.setUp(undefined, ATTACHMENT, prefixes("10.1.2.3/24"));
      expect(programs.calls()).toEqual(["iptables-restore --version"]);
      expect(await iptablesRules("iptables-nft")).not.toEqual([]);
      await masquerade.tearDown(ATTACHMENT);
    });
  });
});

describe("the host has no iptables", () => {
  const withoutIptables = (body: (programs: Programs) => Promise<void>) =>
    withScratchHost(async () => {
      await using programs = await Programs.replace();
      for (const file of FILES) await programs.disable(file);
      await body(programs);
    });

  test("the default is nftables, with an empty PATH and without nft", async () => {
    await withoutIptables(async (programs) => {
      await programs.disable("/usr/sbin/nft");
      await withoutPath(async () => {
        await masquerade.requireUsable(undefined);
        await masquerade.setUp(undefined, ATTACHMENT, ADDRESSES);
        await masquerade.check(undefined, ATTACHMENT, ADDRESSES);
        await masquerade.check("nftables", ATTACHMENT, ADDRESSES);
        await spoofCheck.setUp(ATTACHMENT, "veth1", "02:00:00:00:00:01");
        await spoofCheck.tearDown(ATTACHMENT);
        await masquerade.tearDown(ATTACHMENT);
      });
    });
  });

  test("nft lists what was written without it", async () => {
    await withoutIptables(async () => {
      await masquerade.setUp(undefined, ATTACHMENT, ADDRESSES);
      expect(await nftTable("inet", "cni_plugins_masquerade")).toContain("ip saddr { 10.1.2.3 }");
      await masquerade.tearDown(ATTACHMENT);
    });
  });

  test("iptables was asked for: the error says what is missing and what to do, before anything is changed", async () => {
    await withoutIptables(async () => {
      const words =
        'cannot masquerade with iptables: there is no program iptables-restore in the system\'s folders or on PATH; install iptables, or set "ipMasqBackend": "nftables"';
      expect(await codeOf(masquerade.requireUsable("iptables"))).toEqual([code.notAvailable, words]);
      const [number, message] = await codeOf(masquerade.setUp("iptables", ATTACHMENT, ADDRESSES));
      expect(number).toBe(code.internal);
      expect(message).toContain('install iptables, or set "ipMasqBackend": "nftables"');
    });
  });

  test("what an iptables that is gone has left is still removed", async () => {
    await withScratchHost(async () => {
      await masquerade.setUp("iptables", ATTACHMENT, ADDRESSES);
      await using programs = await Programs.replace();
      for (const file of FILES) await programs.disable(file);
      await masquerade.tearDown(ATTACHMENT);
    });
  });
});

describe("STATUS changes nothing", () => {
  test.each([undefined, "iptables", "nftables"] as const)("%p", async (backend) => {
    await withScratchHost(() => masquerade.requireUsable(backend));
  });
});
