/** README's walk-through, typed as it stands there: each command prints what README says that it prints. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { blocksBelow } from "../support/blocks.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { keptForwarding, keptIptablesChains, keptLeaseFolder } from "../support/leftovers.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { withScratchHost } from "../support/scratch-host.ts";

/** Commands after "# ", each with the lines that follow it. */
const dialogue = (lines: readonly string[]): { command: string; printed: string[] }[] =>
  lines
    .join("\n")
    .split(/^# /m)
    .filter((part) => part !== "")
    .map((part) => {
      const [command = "", ...printed] = part.trimEnd().split("\n");
      return { command, printed };
    });

/** Without what differs from run to run. */
const alike = (lines: readonly string[]): string[] =>
  lines.map((line) =>
    line
      .trimEnd()
      .replace(/veth[0-9a-f]{8}/, "veth…")
      .replace(/link\/ether [0-9a-f:]{17}/, "link/ether …")
      .replace(/fe80::[0-9a-f:]+/, "fe80::…"),
  );

/** The variables that a block exports: each block is run by a shell of its own. */
const exportedBy = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    lines
      .filter((line) => line.startsWith("export "))
      .flatMap((line) =>
        [...line.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
      ),
  );

test("K25: README's walk-through comes out as README says", async () => {
  const blocks = blocksBelow("README.md", "The walk-through");
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
  let typed = 0;
  await withScratchHost(
    async () => {
      await outputOf("mkdir -p /opt && mount -t tmpfs tmpfs /opt");
      try {
        await outputOf([join(builtBinaries(), "bridgehead"), "install", "--yes"]);
        for (const { language, lines } of blocks) {
          if (language === "sh") {
            await outputOf(lines.join("\n"));
            Object.assign(env, exportedBy(lines));
          }
          if (language !== "console") continue;
          for (const { command, printed } of dialogue(lines)) {
            const { stdout, stderr } = await outcomeOf(command, { cwd: "/opt/cni/bin", env });
            const found = (stdout + stderr).split("\n").filter((line) => line !== "");
            expect({ command, printed: alike(found) }).toEqual({ command, printed: alike(printed) });
            typed++;
          }
        }
        await outputOf("ip link delete cni_bridge0 && ip netns delete blue");
      } finally {
        await outputOf("umount /opt");
      }
    },
    { mayKeep: [...keptForwarding, ...keptIptablesChains, ...keptLeaseFolder("mybridge")] },
  );
  expect(typed).toBe(8);
});
