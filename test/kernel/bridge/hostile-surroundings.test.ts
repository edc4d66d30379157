/** The whole life of an attachment in surroundings that a line of /bin/sh makes, and ADDs whose result is lost. */
import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { type Outcome, outcomeOf } from "../../support/command.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { disagreement } from "../../support/surrounded-call.ts";
import { type AddResult, configuration, hostLocal, STAYS, V4, V6, withNetwork } from "./network.ts";

const CONFIG = configuration({ isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) });
const IPTABLES = { ...CONFIG, ipMasqBackend: "iptables" };

interface Call {
  readonly command: string;
  readonly container: NamedNamespace;
  readonly line: string;
  readonly env?: Record<string, string>;
  readonly config?: object;
}

/** `line` makes the surroundings and runs the program, which is "$@". */
function call({ command, container, line, env = {}, config = CONFIG }: Call): Promise<Outcome> {
  return outcomeOf(["/bin/sh", "-c", line, "sh", `${builtBinaries()}/bridge`], {
    stdin: JSON.stringify(config),
    env: {
      PATH: process.env.PATH ?? "",
      CNI_COMMAND: command,
      CNI_CONTAINERID: container.name,
      CNI_NETNS: container.path,
      CNI_IFNAME: "eth0",
      CNI_PATH: builtBinaries(),
      ...env,
    },
  });
}

/** ADD, CHECK and DEL, each of which must work. */
async function wholeLife(plan: Omit<Call, "command">): Promise<void> {
  const { config = CONFIG } = plan;
  const added = await call({ ...plan, command: "ADD" });
  expect({ exitCode: added.exitCode, problem: disagreement(added) }).toEqual({
    exitCode: 0,
    problem: undefined,
  });
  const prevResult = JSON.parse(added.stdout) as AddResult;
  expect(prevResult.ips).toHaveLength(2);
  for (const command of ["CHECK", "DEL"]) {
    const { exitCode, stdout } = await call({ ...plan, command, config: { ...config, prevResult } });
    expect({ command, exitCode, stdout }).toEqual({ command, exitCode: 0, stdout: "" });
  }
}

const inMounts = (prepare: string): string =>
  `exec unshare --mount --propagation=private /bin/sh -ec '${prepare}; exec "$@"' sh "$@"`;
const CONFINED = `"${process.execPath}" "${import.meta.dir}/../../support/confined.ts"`;
/** statx(2) was the newest of Linux 4.11. */
const NEWER = "statx+,memfd_create";

describe("an attachment has its whole life", () => {
  test.each([
    ["without /sys", inMounts("mount -n -t tmpfs none /sys")],
    ["on a read-only /", inMounts("mount -n -o remount,bind,ro /")],
    ["as the only process that it sees", 'exec unshare --pid --fork --mount-proc "$@"'],
    [
      "with the clocks of a machine that started later",
      'exec unshare --time --monotonic 1 --boottime 1 "$@"',
    ],
    ["with all signals ignored", 'exec env --ignore-signal "$@"'],
    ["with all signals blocked", 'exec env --block-signal "$@"'],
    ["with a umask that takes everything", 'umask 0777; exec "$@"'],
    ["with few descriptors", 'exec prlimit --nofile=16 "$@"'],
    ["with the lowest priority", 'exec nice -n 19 "$@"'],
    ["without HOME, TMPDIR and PATH", 'unset HOME TMPDIR PATH; exec "$@"'],
  ])("%s", (_, line) =>
    withNetwork(async (host) => wholeLife({ container: await host.addNamespace("c1"), line })),
  );

  testUnless(process.arch === "x64" ? undefined : "the numbers are those of x64")(
    "K21: with only the system calls of Linux 4.11",
    () =>
      withNetwork(async (host) => {
        await wholeLife({
          container: await host.addNamespace("c1"),
          line: `exec ${CONFINED} 38 ${NEWER} "$@"`,
        });
      }),
  );

  test.each([
    ["the caller ignores SIGCHLD", 'exec env --ignore-signal=CHLD "$@"'],
    ["the caller blocks all signals", 'exec env --block-signal "$@"'],
    ["there are few descriptors", 'exec prlimit --nofile=20 "$@"'],
  ])("with an IPAM plugin as a child, when %s", (_, line) =>
    withNetwork(async (host) => {
      // A copy is another file, so that it does not run in the same process.
      mkdirSync("/run/plugins");
      copyFileSync(`${builtBinaries()}/host-local`, "/run/plugins/host-local");
      await wholeLife({ container: await host.addNamespace("c1"), line, env: { CNI_PATH: "/run/plugins" } });
      await host.run("rm -r /run/plugins");
    }),
  );
});

test("what PATH plants is not run: the system's own programs come first, host-local from CNI_PATH", () =>
  withNetwork(async (host) => {
    mkdirSync("/run/planted");
    const names = [
      "iptables",
      "iptables-restore",
      "iptables-nft",
      "iptables-legacy-restore",
      "iptables-save",
      "nft",
    ];
    for (const name of [
      ...names,
      ...names.map((each) => each.replace("ip", "ip6")),
      "ip",
      "modprobe",
      "host-local",
    ]) {
      writeFileSync(`/run/planted/${name}`, "#!/bin/sh\ntouch /run/ran\n");
      chmodSync(`/run/planted/${name}`, 0o755);
    }
    const env = { PATH: `/run/planted:.:${process.env.PATH}` };
    for (const config of [CONFIG, IPTABLES]) {
      await wholeLife({
        container: await host.addNamespace("c1"),
        line: 'cd /run/planted; exec "$@"',
        env,
        config,
      });
      await host.removeNamespaces();
    }
    expect(existsSync("/run/ran")).toBe(false);
    await host.run("rm -r /run/planted");
  }));

describe("an ADD whose result is lost is taken back", () => {
  test.each([
    ["closed", 'exec "$@" >&-'],
    ["full", 'exec "$@" >/dev/full'],
    ["a pipe without a reader", 'mkfifo /run/p; exec 5<>/run/p 6>/run/p 5<&-; rm /run/p; exec "$@" >&6'],
    ["closed, like standard error", 'exec "$@" >&- 2>&-'],
  ])("standard output is %s", (_, line) =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const before = await host.state();
      const { exitCode, stdout } = await call({ command: "ADD", container, line, config: IPTABLES });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      // As after a DEL: the bridge stays (rule B33).
      expect(stateDifference(before, await host.state(), STAYS)).toEqual([]);
      expect(await container.json("ip -j link")).toHaveLength(1);
      await wholeLife({ container, line: 'exec "$@"', config: IPTABLES });
    }),
  );
});
