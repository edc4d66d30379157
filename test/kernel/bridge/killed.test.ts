/** A plugin that is killed while it waits: nothing of it goes on behind the DEL that follows. */
import { expect } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { outcomeOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { testUnless } from "../../support/skip.ts";
import { Programs } from "../netfilter/programs.ts";
import { Attachment, configuration, hostLocal, V4, V6, withNetwork } from "./network.ts";

const LOCK = "/run/xtables.lock";

const noLegacy =
  (await outcomeOf("unshare --net iptables-legacy -t nat -S")).exitCode === 0
    ? undefined
    : "this kernel or machine has no iptables-legacy";

/** Whether some process waits for the lock, as /proc/locks shows it ("->"). */
const somebodyWaits = (): boolean =>
  readFileSync("/proc/locks", "utf8")
    .split("\n")
    .some((line) => line.includes("->") && line.includes(`:${statSync(LOCK).ino} `));

testUnless(noLegacy)(
  "killed while the lock of iptables-legacy is held: no child writes its rules afterwards",
  () =>
    withNetwork(async (host) => {
      await using programs = await Programs.replace();
      for (const family of ["iptables", "ip6tables"])
        programs.link(`${family}-restore`, `/usr/sbin/${family}-legacy-restore`);
      const config = configuration({ ipMasq: true, ipMasqBackend: "iptables", ipam: hostLocal(V4, V6) });
      const attachment = new Attachment(host, await host.addNamespace("c1"), config);
      {
        await using _lock = await LockKeeper.on(LOCK);
        const plugin = Bun.spawn([`${builtBinaries()}/bridge`], {
          stdin: Buffer.from(JSON.stringify(config)),
          stdout: "ignore",
          stderr: "ignore",
          env: {
            CNI_COMMAND: "ADD",
            CNI_CONTAINERID: "c1",
            CNI_NETNS: attachment.namespace.path,
            CNI_IFNAME: "eth0",
            CNI_PATH: builtBinaries(),
          },
        });
        await eventually("ADD waits for the lock", somebodyWaits);
        plugin.kill("SIGKILL");
        await plugin.exited;
        await attachment.del();
      }
      await eventually(
        "no iptables runs",
        async () => (await outcomeOf(["pgrep", "-f", "legacy-restore"])).exitCode !== 0,
      );
      expect(await host.run("iptables-legacy-save -t nat; ip6tables-legacy-save -t nat")).not.toContain(
        "CNI-",
      );
    }),
);
