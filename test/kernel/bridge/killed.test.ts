/** A plugin that is killed while it waits: nothing of it goes on behind the DEL that follows. */
import { expect } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { outcomeOf } from "../../support/command.ts";
import { isCompact } from "../../support/engine.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { builtBinaries, environmentOf, type PluginCall, stdinOf } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { hostLocal, networkTest, prepare, STAYS, V4, V6 } from "./network.ts";

const LOCK = "/run/xtables.lock";
const CHILD = "/run/child";

/** Whether some process waits for the lock, as /proc/locks shows it ("->"). */
const somebodyWaits = (): boolean =>
  readFileSync("/proc/locks", "utf8")
    .split("\n")
    .some((line) => line.includes("->") && line.includes(`:${statSync(LOCK).ino} `));

const start = (request: PluginCall) =>
  Bun.spawn([`${builtBinaries()}/bridge`], {
    stdin: stdinOf(request),
    stdout: "ignore",
    stderr: "ignore",
    env: environmentOf(request),
  });

hostTests({ mayKeep: STAYS }, testUnless(await whyNoLegacy()))(
  "killed while the lock of iptables-legacy is held: no child writes its rules afterwards",
  async (host) => {
    await using _ = await legacyHost();
    const keys = { ipMasq: true, ipMasqBackend: "iptables", ipam: hostLocal(V4, V6) };
    const one = await prepare(host, "c1", keys);
    {
      await using _lock = await LockKeeper.on(LOCK);
      const plugin = start(one.request("ADD"));
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

// The Bun file cannot do it (docs/decisions/0022-child-processes.md).
if (isCompact()) {
  networkTest("a child of the compact file ends with it", async (host) => {
    using plugins = new ProgramFolder();
    plugins.script("slow", `[ "$CNI_COMMAND" = DEL ] || { echo $$ >${CHILD}; exec sleep 1000; }`);
    const one = await prepare(host, "c1", { ipam: { type: "slow" } });
    const plugin = start({ ...one.request("ADD"), path: plugins.path });
    const child = await eventually(
      "the child runs",
      () => existsSync(CHILD) && readFileSync(CHILD, "utf8").trim(),
    );
    plugin.kill("SIGKILL");
    await plugin.exited;
    // It has the signal before this process can know of the plugin's end.
    await eventually("the child is gone", () => !existsSync(`/proc/${child}`));
    await host.run(`rm ${CHILD}`);
    const del = await host.plugin("bridge", { ...one.request("DEL"), path: plugins.path });
    expect(`${del}`).toStartWith('exit code 0, stdout ""');
  });
}
