/** A plugin that is killed while it waits: nothing of it goes on behind the DEL that follows. */
import { expect } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { outcomeOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { builtBinaries, environmentOf, stdinOf } from "../../support/plugin-call.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { hostLocal, prepare, STAYS, V4, V6 } from "./network.ts";

const LOCK = "/run/xtables.lock";

/** Whether some process waits for the lock, as /proc/locks shows it ("->"). */
const somebodyWaits = (): boolean =>
  readFileSync("/proc/locks", "utf8")
    .split("\n")
    .some((line) => line.includes("->") && line.includes(`:${statSync(LOCK).ino} `));

hostTests({ mayKeep: STAYS }, testUnless(await whyNoLegacy()))(
  "killed while the lock of iptables-legacy is held: no child writes its rules afterwards",
  async (host) => {
    await using _ = await legacyHost();
    const keys = { ipMasq: true, ipMasqBackend: "iptables", ipam: hostLocal(V4, V6) };
    const one = await prepare(host, "c1", keys);
    {
      await using _lock = await LockKeeper.on(LOCK);
      const request = one.request("ADD");
      const plugin = Bun.spawn([`${builtBinaries()}/bridge`], {
        stdin: stdinOf(request),
        stdout: "ignore",
        stderr: "ignore",
        env: environmentOf(request),
      });
      await eventually("ADD waits for the lock", somebodyWaits);
      plugin.kill("SIGKILL");
      await plugin.exited;
      await one.del();
    }
    await eventually(
      "no iptables runs",
      async () => (await outcomeOf(["pgrep", "-f", "legacy-restore"])).exitCode !== 0,
    );
    const rules = await host.run("iptables-legacy-save -t nat; ip6tables-legacy-save -t nat");
    expect(rules).not.toContain("CNI-");
  },
);
