/** The demo shows what it says, stops at the first deviation, and leaves nothing, however it ends. */
import { expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { hostTest } from "../support/host-test.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { ProgramFolder } from "../support/program-folder.ts";
import { rows } from "../support/rows.ts";
import { withScratchHost } from "../support/scratch-host.ts";
import { PROJECT } from "../support/test-files.ts";

const demoWith = (binaries: string) => [process.execPath, join(PROJECT, "demo/demo.ts"), "--bin", binaries];

/** A folder of plugins where `bridge` is a shell script around the built one. */
function tampered(script: string): ProgramFolder {
  const folder = new ProgramFolder();
  folder.script("bridge", script.replaceAll("BRIDGE", join(builtBinaries(), "bridge")));
  folder.script("host-local", `exec ${join(builtBinaries(), "host-local")}`);
  return folder;
}

/** What a demo that passes prints. */
async function passed(env?: Record<string, string>): Promise<string> {
  const { exitCode, stdout, stderr } = await outcomeOf(demoWith(builtBinaries()), env && { env });
  expect({ exitCode, stderr, stdout: exitCode === 0 ? "" : stdout }).toEqual({
    ...{ exitCode: 0, stderr: "", stdout: "" },
  });
  return stdout;
}

/** The command lines of all processes that are in sight, which are those of this scratch host. */
function processes(): string[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.flatMap((number) => {
    try {
      return readFileSync(`/proc/${number}/cmdline`, "utf8").replaceAll("\0", " ");
    } catch {
      return [];
    }
  });
}

/** What ADD comes to instead of an end. */
const ENDLESS = "sleep 1000";
const isEndless = (line: string) => line.startsWith(ENDLESS);

const ofTheDemo = () =>
  processes().filter((line) => /demo\/(demo|outside)\.ts/.test(line) || isEndless(line));

test("the whole walk-through passes, in plain text where there is no terminal", async () => {
  await withScratchHost(async () => {
    const stdout = await passed();
    expect(stdout).not.toContain("\x1b");
    expect(stdout).not.toContain("✗");
    expect(Number(/✓ (\d+) checks passed in \d+\.\d s\n$/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(28);
  });
  expect(ofTheDemo()).toEqual([]);
});

hostTest("K23: programs of the same names that are first on PATH change nothing", async () => {
  using folder = new ProgramFolder();
  for (const name of "bridge host-local loopback ip nft iptables-save ping mount unshare".split(" "))
    folder.script(name, 'echo "CNI bridge plugin version unknown"');
  const stdout = await passed({ ...process.env, PATH: `${folder.path}:${process.env.PATH}` } as Record<
    string,
    string
  >);
  expect(stdout).toMatch(/\$ bridge link\n +\d+: veth\w+@\S+: .* master cni_bridge0 .*\n +✓/);
  expect(stdout).not.toContain("plugin version");
});

hostTest(
  "K23: what is printed is what is judged: no check passes on a tool that says something else",
  async (host) => {
    const real = realpathSync(Bun.which("bridge") ?? "");
    using folder = new ProgramFolder();
    copyFileSync(real, join(folder.path, "real"));
    // The comparison of states at the end asks for JSON.
    const script = `[ "$1" = -j ] && exec ${folder.path}/real "$@"; echo "bridge utility, 6.1.0"`;
    await host.run(["mount", "--bind", folder.script("bridge", script), real]);
    const { exitCode, stdout } = await outcomeOf(demoWith(builtBinaries()));
    await host.run(["umount", real]);
    expect(stdout).toMatch(/\$ bridge link\n +bridge utility, 6\.1\.0\n +✗ cni_bridge0 has one port\n/);
    expect(exitCode).toBe(1);
  },
);

test.each(
  rows(String.raw`
    a wrong address in the result => BRIDGE | sed s/10.15.20.2/10.15.20.9/ => ip: "10\.15\.20\.2\/24"[\s\S]*found:[\s\S]*ip: "10\.15\.20\.9\/24"
    no masquerade => sed 's/"ipMasq": true/"ipMasq": false/' | BRIDGE => ✗ .*exit code
    a DEL that does nothing => [ "$CNI_COMMAND" = DEL ] || exec BRIDGE => ✗ the interface is gone\n.*expected[\s\S]*found: .*\n?[\s\S]*eth12
    a CHECK that sees nothing => [ "$CNI_COMMAND" = CHECK ] || exec BRIDGE => ✗ exit code of the command\n {5}expected: 1\n {5}found: {4}0
  `),
)("%s ends it with exit code 1, what was expected and what was found", async (_what, script, complaint) => {
  await withScratchHost(async () => {
    using folder = tampered(script);
    const { exitCode, stdout } = await outcomeOf(demoWith(folder.path));
    expect(stdout).toMatch(new RegExp(complaint));
    expect(stdout).toMatch(/\n✗ stopped after \d+ checks passed/);
    expect(exitCode).toBe(1);
  });
  expect(ofTheDemo()).toEqual([]);
});

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
  "nothing is left after %s in the middle",
  async (signal) => {
    await withScratchHost(async () => {
      using folder = tampered(`[ "$CNI_COMMAND" = ADD ] && ${ENDLESS}; exec BRIDGE`);
      const demo = Bun.spawn(demoWith(folder.path), { stdout: "ignore", stderr: "ignore" });
      await eventually("the demo waits for ADD", () => processes().some(isEndless));
      demo.kill(signal);
      await demo.exited;
      expect(demo.exitCode).toBe(signal === "SIGKILL" ? null : 130);
      // All in one look: the last processes of a scratch host are killed together, and end in any order.
      await eventually("all processes of the demo end", () => ofTheDemo().length === 0, { state: processes });
    });
  },
);
