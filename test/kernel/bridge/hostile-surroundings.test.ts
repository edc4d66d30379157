/** The whole life of an attachment in surroundings that a line of /bin/sh makes, and ADDs whose result is lost. */
import { describe, expect } from "bun:test";
import { copyFileSync, existsSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import { builtBinaries, type PluginOutcome } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import { protocolProblems } from "../../support/protocol.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { type Attachment, hostLocal, networkTest, prepare, STAYS, V4, V6 } from "./network.ts";

const KEYS = { isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) };
const IPTABLES = { ...KEYS, ipMasqBackend: "iptables" };

interface Surroundings {
  readonly env?: Record<string, string>;
  readonly path?: string;
}

/** `line` makes the surroundings and runs the program, which is "$@". */
const call = (one: Attachment, line: string, command: string, keys: object = {}, more: Surroundings = {}) =>
  one.callUnder(["/bin/sh", "-c", line, "sh"], { ...one.request(command, keys), ...more });

/** ADD, CHECK and DEL, each of which must work. */
async function wholeLife(one: Attachment, line: string, more?: Surroundings): Promise<void> {
  const added: PluginOutcome = await call(one, line, "ADD", {}, more);
  expect(`${added}`).toStartWith("exit code 0");
  expect(protocolProblems("ADD", added)).toEqual([]);
  const prevResult = added.json<{ ips: object[] }>();
  expect(prevResult.ips).toHaveLength(2);
  for (const command of ["CHECK", "DEL"]) {
    const outcome = await call(one, line, command, { prevResult }, more);
    expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code 0, stdout ""`);
  }
}

const lifeIn = async (host: ScratchHost, line: string, more?: Surroundings) =>
  wholeLife(await prepare(host, "c1", KEYS), line, more);

const inMounts = (prepare: string): string =>
  `exec unshare --mount --propagation=private /bin/sh -ec '${prepare}; exec "$@"' sh "$@"`;
const CONFINED = `"${process.execPath}" "${import.meta.dir}/../../support/confined.ts"`;
/** statx(2) was the newest of Linux 4.11. */
const NEWER = "statx+,memfd_create";

describe("an attachment has its whole life", () => {
  networkTest.each([
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
  ])("%s", (host, _, line) => lifeIn(host, line));

  const onX64 = testUnless(process.arch === "x64" ? undefined : "the numbers are those of x64");
  hostTests({ mayKeep: STAYS }, onX64)("K21: with only the system calls of Linux 4.11", (host) =>
    lifeIn(host, `exec ${CONFINED} 38 ${NEWER} "$@"`),
  );

  networkTest.each([
    ["the caller ignores SIGCHLD", 'exec env --ignore-signal=CHLD "$@"'],
    ["the caller blocks all signals", 'exec env --block-signal "$@"'],
    ["there are few descriptors", 'exec prlimit --nofile=20 "$@"'],
  ])("with an IPAM plugin as a child, when %s", async (host, _, line) => {
    using plugins = new ProgramFolder();
    // A copy is another file, so that it does not run in the same process.
    copyFileSync(`${builtBinaries()}/host-local`, `${plugins.path}/host-local`);
    await lifeIn(host, line, { path: plugins.path });
  });
});

networkTest(
  "what PATH plants is not run: the system's own programs come first, host-local from CNI_PATH",
  async (host) => {
    using planted = new ProgramFolder();
    const names = ["", "-restore", "-nft", "-legacy-restore", "-save"].map((end) => `iptables${end}`);
    const others = names.map((name) => name.replace("ip", "ip6"));
    for (const name of [...names, ...others, "nft", "ip", "modprobe", "host-local"])
      planted.script(name, `touch ${planted.path}/ran`);
    const env = { PATH: `${planted.path}:.:${process.env.PATH}` };
    for (const keys of [KEYS, IPTABLES]) {
      await wholeLife(await prepare(host, "c1", keys), `cd ${planted.path}; exec "$@"`, { env });
      await host.removeNamespaces();
    }
    expect(existsSync(`${planted.path}/ran`)).toBe(false);
  },
);

describe("an ADD whose result is lost is taken back", () => {
  networkTest.each([
    ["closed", 'exec "$@" >&-'],
    ["full", 'exec "$@" >/dev/full'],
    ["a pipe without a reader", 'mkfifo /run/p; exec 5<>/run/p 6>/run/p 5<&-; rm /run/p; exec "$@" >&6'],
    ["closed, like standard error", 'exec "$@" >&- 2>&-'],
  ])("standard output is %s", async (host, _, line) => {
    const one = await prepare(host, "c1", IPTABLES);
    // As after a DEL: the bridge stays (rule B33).
    const outcome = await host.unchangedBy(() => call(one, line, "ADD"), STAYS);
    expect(`${outcome}`).toStartWith('exit code 1, stdout ""');
    expect(await one.interfaces()).toEqual(["lo"]);
    await wholeLife(one, 'exec "$@"');
  });
});
