/** K7, K8: calls that have to wait: for an IPAM plugin that hangs or talks without end, for locks. The built file. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { builtBinaries, measuredCall, type PluginOutcome } from "../../support/plugin-call.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { configuration, type ErrorDocument, hostLocal, V4, withNetwork } from "./network.ts";

/** An IPAM plugin that notes each command and then does what a line of /bin/sh says for it, nothing otherwise. */
class OddIpam implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "ipam-"));
  readonly path = join(this.folder, "odd-ipam");
  readonly #log = join(this.folder, "log");

  constructor(behaviour: Readonly<Record<string, string>>) {
    const cases = Object.entries(behaviour).map(([command, line]) => `${command}) ${line} ;;`);
    writeFileSync(
      this.path,
      `#!/bin/sh\necho "$CNI_COMMAND $$" >>${this.#log}\ncase $CNI_COMMAND in\n${cases.join("\n")}\nesac\n`,
    );
    chmodSync(this.path, 0o755);
  }

  get #lines(): string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8").trim().split("\n") : [];
  }

  get commands(): string[] {
    return this.#lines.map((line) => line.split(" ")[0] ?? "");
  }

  /** Whether one of its processes lives. */
  get lives(): boolean {
    return this.#lines.some((line) => existsSync(`/proc/${line.split(" ")[1]}`));
  }

  call(command: string, namespace: NamedNamespace | undefined, keys: object = {}) {
    return {
      command,
      ...(namespace !== undefined && {
        containerId: namespace.name,
        netns: namespace.path,
        ifname: "eth0",
      }),
      path: `${this.folder}:${builtBinaries()}`,
      config: configuration({ ipam: { type: "odd-ipam" }, callTimeout: 4, ...keys }),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

const errorOf = (outcome: PluginOutcome): ErrorDocument => {
  expect(`${outcome}`).toStartWith("exit code 1");
  return outcome.json<ErrorDocument>();
};

const links = async (host: ScratchHost) =>
  (await host.json<{ ifname: string }[]>("ip -j link show")).map(({ ifname }) => ifname);

const HANG = "exec sleep 1000";
const ADDRESS = `echo '{"cniVersion":"1.1.0","ips":[{"address":"10.77.0.9/24"}]}'`;

describe("K7: an IPAM plugin that never ends", () => {
  test("ADD: is stopped; code 11 names it; its DEL follows, and nothing is left", () =>
    withNetwork(async (host) => {
      using ipam = new OddIpam({ ADD: HANG });
      const before = await links(host);
      const outcome = await host.plugin("bridge", ipam.call("ADD", await host.addNamespace("c1")));
      const { code, msg, details } = errorOf(outcome);
      expect(code).toBe(11);
      expect(msg).toMatch(
        new RegExp(`^cannot run plugin "${ipam.path}": it had not ended after [0-9.]+ s and was stopped`),
      );
      expect(details).toBeUndefined();
      expect(ipam.commands).toEqual(["ADD", "DEL"]);
      expect(ipam.lives).toBe(false);
      expect(await links(host)).toEqual(before);
    }));

  test("ADD, and its DEL too: what could not be undone is named on stderr and in the details; the rest is", () =>
    withNetwork(async (host) => {
      using ipam = new OddIpam({ ADD: `trap "" TERM; ${HANG}`, DEL: `trap "" TERM; ${HANG}` });
      const before = await links(host);
      const outcome = await host.plugin("bridge", ipam.call("ADD", await host.addNamespace("c1")));
      const { code, details } = errorOf(outcome);
      expect(code).toBe(11);
      const undone = 'cannot undo the failed ADD of plugin "odd-ipam": cannot run plugin';
      expect(details).toStartWith(undone);
      expect(outcome.stderr).toContain(undone);
      expect(ipam.lives).toBe(false);
      expect(await links(host)).toEqual(before);
    }));

  test.each(["DEL", "GC"])("%s: everything else is removed, then code 11", (command) =>
    withNetwork(async (host) => {
      using ipam = new OddIpam({
        ADD: ADDRESS,
        DEL: HANG,
        GC: HANG,
      });
      const namespace = await host.addNamespace("c1");
      // Not an empty list, which keeps what lives: the namespace ends in the kernel's own time.
      const others = [{ containerID: "c2", ifname: "eth0" }];
      const keys = { ipMasq: true, ipMasqBackend: "nftables", "cni.dev/valid-attachments": others };
      const added = await host.plugin("bridge", ipam.call("ADD", namespace, keys));
      expect(added.exitCode).toBe(0);
      await host.run("ip netns delete c1");
      const gone = command === "GC" ? undefined : namespace;
      const { code, msg } = errorOf(await host.plugin("bridge", ipam.call(command, gone, keys)));
      expect(code).toBe(11);
      expect(msg).toContain(`cannot run plugin "${ipam.path}": it had not ended`);
      expect((await links(host)).filter((name) => name.startsWith("veth"))).toEqual([]);
      expect(await host.run("nft list ruleset")).not.toContain("10.77.0.9");
    }),
  );
});

describe("K7: an IPAM plugin that says too much", () => {
  test.each(["300 MB of output", "300 MB of words"])("%s", (kind) =>
    withNetwork(async (host) => {
      const to = kind.endsWith("words") ? ">&2" : "";
      using ipam = new OddIpam({ STATUS: `head -c 300000000 /dev/zero ${to}` });
      using silent = new OddIpam({});
      const least = await measuredCall("bridge", silent.call("STATUS", undefined));
      expect(least.outcome.exitCode).toBe(0);
      const { outcome, mebibytes } = await measuredCall(
        "bridge",
        ipam.call("STATUS", undefined, { callTimeout: 60 }),
      );
      if (to === "") {
        const { code, msg } = errorOf(outcome);
        expect(code).toBe(999);
        expect(msg).toBe(`cannot run plugin "${ipam.path}": it printed more than 16 MiB and was stopped`);
      } else expect(outcome.exitCode).toBe(0);
      // docs/security.md: three times what is kept of the output at most.
      expect(mebibytes).toBeLessThan(least.mebibytes + 48);
      void host;
    }),
  );
});

test("K8: an ADD that never got the lock of the leases does not wait for it again to undo nothing", () =>
  withNetwork(async (host) => {
    await host.run("mkdir -p /var/lib/cni/networks/testnet");
    const namespace = await host.addNamespace("c1");
    const before = await links(host);
    await using _ = await LockKeeper.on("/var/lib/cni/networks/testnet/lock");
    const outcome = await host.plugin("bridge", {
      command: "ADD",
      containerId: "c1",
      netns: namespace.path,
      ifname: "eth0",
      config: configuration({ ipam: hostLocal(V4), callTimeout: 1 }),
    });
    const { code, msg, details } = errorOf(outcome);
    expect(code).toBe(11);
    expect(msg).toContain('cannot lock "/var/lib/cni/networks/testnet/lock": held by process');
    // A second wait would have ended with words about the undo.
    expect({ details, stderr: outcome.stderr }).toEqual({ details: undefined, stderr: "" });
    expect(await links(host)).toEqual(before);
  }));

test("K8: a signal without end does not make a call last", () =>
  withNetwork(async (host) => {
    using ipam = new OddIpam({ STATUS: `while kill -WINCH $PPID; do :; done` });
    const { code, msg } = errorOf(await host.plugin("bridge", ipam.call("STATUS", undefined)));
    expect(code).toBe(11);
    expect(msg).toContain("it had not ended");
  }));

testUnless(await whyNoLegacy())(
  "K8: DEL whose first step waits in vain has time for the others: interface and addresses go",
  () =>
    withNetwork(async (host) => {
      await using _ = await legacyHost();
      using ipam = new OddIpam({ ADD: ADDRESS });
      const namespace = await host.addNamespace("c1");
      const keys = { ipMasq: true, ipMasqBackend: "iptables" };
      const call = (command: string) => host.plugin("bridge", ipam.call(command, namespace, keys));
      expect(`${await call("ADD")}`).toStartWith("exit code 0");
      {
        await using _ = await LockKeeper.on("/run/xtables.lock");
        const { code, msg } = errorOf(await call("DEL"));
        expect(code).toBe(11);
        expect(msg).toContain("another program has held the lock /run/xtables.lock");
        expect((await links(host)).filter((name) => name.startsWith("veth"))).toEqual([]);
        expect(ipam.commands).toEqual(["ADD", "DEL"]);
      }
      expect(`${await call("DEL")}`).toStartWith("exit code 0");
      expect(await host.run("iptables-legacy-save -t nat")).not.toContain("10.77.0.9");
    }),
);
