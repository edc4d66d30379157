/** K7, K8: calls that have to wait: for an IPAM plugin that hangs or talks without end, for locks. The built file. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostTests } from "../../support/host-test.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import {
  builtBinaries,
  measuredCall,
  type PluginCall,
  type PluginOutcome,
} from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import {
  type Attachment,
  type ErrorDocument,
  LEASES,
  linkNames,
  listing,
  networkTest,
  prepare,
  STAYS,
} from "./network.ts";

/** An IPAM plugin that notes each command and then does what a line of /bin/sh says for it, nothing otherwise. */
class OddIpam extends ProgramFolder {
  readonly program: string;
  private readonly log = join(this.path, "log");

  constructor(behaviour: Readonly<Record<string, string>>) {
    super();
    const cases = Object.entries(behaviour).map(([command, line]) => `${command}) ${line} ;;`);
    const script = `echo "$CNI_COMMAND $$" >>${this.log}\ncase $CNI_COMMAND in\n${cases.join("\n")}\nesac`;
    this.program = this.script("odd-ipam", script);
  }

  private get lines(): string[] {
    return existsSync(this.log) ? readFileSync(this.log, "utf8").trim().split("\n") : [];
  }

  get commands(): string[] {
    return this.lines.map((line) => line.split(" ")[0] ?? "");
  }

  /** Whether one of its processes lives. */
  get lives(): boolean {
    return this.lines.some((line) => existsSync(`/proc/${line.split(" ")[1]}`));
  }

  request(one: Attachment, command: string, keys: object = {}): PluginCall {
    const odd = { ipam: { type: "odd-ipam" }, callTimeout: 4, ...keys };
    return { ...one.request(command, odd), path: `${this.path}:${builtBinaries()}` };
  }

  call(one: Attachment, command: string, keys: object = {}): Promise<PluginOutcome> {
    return one.host.plugin("bridge", this.request(one, command, keys));
  }
}

const errorOf = (outcome: PluginOutcome): ErrorDocument => {
  expect(`${outcome}`).toStartWith("exit code 1");
  return outcome.json<ErrorDocument>();
};

const HANG = "exec sleep 1000";
const ADDRESS = `echo '{"cniVersion":"1.1.0","ips":[{"address":"10.77.0.9/24"}]}'`;

describe("K7: an IPAM plugin that never ends", () => {
  networkTest("ADD: is stopped; code 11 names it; its DEL follows, and nothing is left", async (host) => {
    using ipam = new OddIpam({ ADD: HANG });
    const one = await prepare(host, "c1");
    const before = await linkNames(host);
    const { code, msg, details } = errorOf(await ipam.call(one, "ADD"));
    expect([code, details]).toEqual([11, undefined]);
    expect(msg).toMatch(
      new RegExp(`^cannot run plugin "${ipam.program}": it had not ended after [0-9.]+ s and was stopped`),
    );
    expect(ipam.commands).toEqual(["ADD", "DEL"]);
    expect(ipam.lives).toBe(false);
    expect(await linkNames(host)).toEqual(before);
  });

  networkTest(
    "ADD, and its DEL too: what could not be undone is named on stderr and in the details; the rest is",
    async (host) => {
      using ipam = new OddIpam({ ADD: `trap "" TERM; ${HANG}`, DEL: `trap "" TERM; ${HANG}` });
      const one = await prepare(host, "c1");
      const before = await linkNames(host);
      const outcome = await ipam.call(one, "ADD");
      const { code, details } = errorOf(outcome);
      expect(code).toBe(11);
      const undone = 'cannot undo the failed ADD of plugin "odd-ipam": cannot run plugin';
      expect(details).toStartWith(undone);
      expect(outcome.stderr).toContain(undone);
      expect(ipam.lives).toBe(false);
      expect(await linkNames(host)).toEqual(before);
    },
  );

  networkTest.each([["DEL"], ["GC"]])(
    "%s: everything else is removed, then code 11",
    async (host, command) => {
      using ipam = new OddIpam({ ADD: ADDRESS, DEL: HANG, GC: HANG });
      const one = await prepare(host, "c1");
      // Not an empty list, which keeps what lives: the namespace ends in the kernel's own time.
      const keys = { ipMasq: true, ipMasqBackend: "nftables", ...listing("c2") };
      expect((await ipam.call(one, "ADD", keys)).exitCode).toBe(0);
      await host.run("ip netns delete c1");
      const { code, msg } = errorOf(await ipam.call(one, command, keys));
      expect(code).toBe(11);
      expect(msg).toContain(`cannot run plugin "${ipam.program}": it had not ended`);
      expect(await linkNames(host, "type veth")).toEqual([]);
      expect(await host.run("nft list ruleset")).not.toContain("10.77.0.9");
    },
  );
});

describe("K7: an IPAM plugin that says too much", () => {
  networkTest.each([
    ["300 MB of output", ""],
    ["300 MB of words", ">&2"],
  ])("%s", async (host, _, to) => {
    using ipam = new OddIpam({ STATUS: `head -c 300000000 /dev/zero ${to}` });
    using silent = new OddIpam({});
    const one = await prepare(host, "c1");
    const least = await measuredCall("bridge", silent.request(one, "STATUS"));
    expect(least.outcome.exitCode).toBe(0);
    const most = await measuredCall("bridge", ipam.request(one, "STATUS", { callTimeout: 60 }));
    const msg = `cannot run plugin "${ipam.program}": it printed more than 16 MiB and was stopped`;
    if (to === "") expect(errorOf(most.outcome)).toMatchObject({ code: 999, msg });
    else expect(most.outcome.exitCode).toBe(0);
    // docs/security.md: three times what is kept of the output at most.
    expect(most.mebibytes).toBeLessThan(least.mebibytes + 48);
  });
});

networkTest(
  "K8: an ADD that never got the lock of the leases does not wait for it again to undo nothing",
  async (host) => {
    await host.run(`mkdir -p ${LEASES}`);
    const one = await prepare(host, "c1", { callTimeout: 1 });
    const before = await linkNames(host);
    await using _ = await LockKeeper.on(`${LEASES}/lock`);
    const outcome = await one.call("ADD");
    const { code, msg, details } = errorOf(outcome);
    expect(code).toBe(11);
    expect(msg).toContain(`cannot lock "${LEASES}/lock": held by process`);
    // A second wait would have ended with words about the undo.
    expect([details, outcome.stderr]).toEqual([undefined, ""]);
    expect(await linkNames(host)).toEqual(before);
  },
);

networkTest("K8: a signal without end does not make a call last", async (host) => {
  using ipam = new OddIpam({ STATUS: `while kill -WINCH $PPID; do :; done` });
  const { code, msg } = errorOf(await ipam.call(await prepare(host, "c1"), "STATUS"));
  expect(code).toBe(11);
  expect(msg).toContain("it had not ended");
});

hostTests({ mayKeep: STAYS }, testUnless(await whyNoLegacy()))(
  "K8: DEL whose first step waits in vain has time for the others: interface and addresses go",
  async (host) => {
    await using _ = await legacyHost();
    using ipam = new OddIpam({ ADD: ADDRESS });
    const one = await prepare(host, "c1", { ipMasq: true, ipMasqBackend: "iptables" });
    expect(`${await ipam.call(one, "ADD")}`).toStartWith("exit code 0");
    {
      await using _ = await LockKeeper.on("/run/xtables.lock");
      const { code, msg } = errorOf(await ipam.call(one, "DEL"));
      expect(code).toBe(11);
      expect(msg).toContain("another program has held the lock /run/xtables.lock");
      expect(await linkNames(host, "type veth")).toEqual([]);
      expect(ipam.commands).toEqual(["ADD", "DEL"]);
    }
    expect(`${await ipam.call(one, "DEL")}`).toStartWith("exit code 0");
    expect(await host.run("iptables-legacy-save -t nat")).not.toContain("10.77.0.9");
  },
);
