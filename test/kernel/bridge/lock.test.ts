/** The locks that an ADD takes: only root can hold one, and an ADD does without where there cannot be one (K1). */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { eventually } from "../../support/eventually.ts";
import { type Hold, INTRUDER, Intruder } from "../../support/intruder.ts";
import { LOCK_FOLDER } from "../../support/leftovers.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import {
  type Attachment,
  attach,
  BRIDGE,
  FULL_RANGE,
  LEASES,
  linkNames,
  networkTest,
  prepare,
} from "./network.ts";

const lockFile = () => `${LOCK_FOLDER}/netns-${statSync("/proc/self/ns/net").ino}.lock`;

const WHOLE = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables" };

/** An ADD that works, one that makes a bridge and then gets no address, and what both say on stderr. */
async function addAndFail(host: ScratchHost, name: string) {
  const good = await prepare(host, `${name}-good`, WHOLE);
  const added = await good.call("ADD");
  expect(`${added}`).toStartWith("exit code 0");
  const failing = await prepare(host, `${name}-bad`, { bridge: "br1", isGateway: true, ipam: FULL_RANGE });
  const failed = await failing.call("ADD");
  expect(failed.json().code).toBe(999);
  await good.del();
  return { added: added.stderr, failed: failed.stderr, bridges: await linkNames(host, "type bridge") };
}

describe("K1: a process without privileges delays no ADD, and keeps no undo from its bridge", () => {
  const holds: readonly Hold[] = ["exclusive", "shared", "exclusive, again and again"];
  const cases = holds.flatMap((hold) => INTRUDER.groups.map((group) => [group, hold] as const));
  networkTest.each(cases)("group %p holds all it can: %s", async (host, group, hold) => {
    // The lock of the leases is as the Go plugin makes it: the group may open it.
    await host.run(`install -d ${LEASES} && install -m 0750 /dev/null ${LEASES}/lock`);
    await addAndFail(host, "before");
    const locks = [lockFile(), LOCK_FOLDER, `${LEASES}/lock`];
    const others = ["/proc/self/ns/net", "/run", "/var/lib/cni", "/var/lib/cni/networks", LEASES];
    const { intruder, held, refused } = await Intruder.on(hold, group, [...locks, ...others]);
    await using _ = intruder;
    expect({ held, refused }).toEqual({ held: others, refused: locks });
    expect(await addAndFail(host, "beside")).toEqual({ added: "", failed: "", bridges: [BRIDGE] });
  });
});

describe("K1: the place of the lock", () => {
  networkTest(
    "is made by whichever of many comes first, for root alone, whatever the umask",
    async (host) => {
      const umask = process.umask(0o777);
      try {
        const all: Attachment[] = [];
        for (let index = 0; index < 16; index++) all.push(await prepare(host, `c${index}`, WHOLE));
        const outcomes = await Promise.all(all.map((one) => one.call("ADD")));
        expect(outcomes.map(({ exitCode, stderr }) => `${exitCode} ${stderr}`)).toEqual(all.map(() => "0 "));
        for (const one of all) await one.del();
      } finally {
        process.umask(umask);
      }
      expect(lstatSync(LOCK_FOLDER).mode & 0o7777).toBe(0o700);
      expect(readdirSync(LOCK_FOLDER).map((name) => `${LOCK_FOLDER}/${name}`)).toEqual([lockFile()]);
      expect(lstatSync(lockFile())).toMatchObject({ mode: 0o100600, uid: 0, size: 0 });
    },
  );

  const outside = "/run/outside";
  /** What is planted in the place of the folder, and what the ADD says about it. */
  const IN_PLACE_OF_FOLDER: readonly [string, (host: ScratchHost) => unknown, string][] = [
    ["a link to a folder", () => symlinkSync(outside, LOCK_FOLDER), "is a symbolic link"],
    ["a link to nothing", () => symlinkSync(`${outside}/x`, LOCK_FOLDER), "is a symbolic link"],
    ["a file", () => writeFileSync(LOCK_FOLDER, ""), "is a regular file, not a directory"],
    ["a fifo", (host) => host.run(`mkfifo ${LOCK_FOLDER}`), "is a fifo, not a directory"],
    [
      "a folder of another user",
      () => {
        mkdirSync(LOCK_FOLDER);
        chownSync(LOCK_FOLDER, INTRUDER.user, INTRUDER.user);
      },
      `belongs to user ${INTRUDER.user}`,
    ],
  ];
  /** In the place of the file in it. */
  const COMMANDS = [
    ...["mkfifo", "mkdir", "ln -s /run/outside/file", "ln /run/outside/file"],
    "mknod -m 600 X c 1 5 #",
  ];
  type Planted = readonly [string, (host: ScratchHost) => unknown, () => string, string];
  const PLANTED: readonly Planted[] = [
    ...IN_PLACE_OF_FOLDER.map(([what, plant, words]) => [what, plant, () => LOCK_FOLDER, words] as const),
    ...COMMANDS.map((command) => {
      const plant = async (host: ScratchHost) => {
        mkdirSync(LOCK_FOLDER, { mode: 0o700 });
        await host.run(`${command.replace("X", lockFile())} ${lockFile()}`);
      };
      const words = command === "ln /run/outside/file" ? "has 2 names" : "is a";
      return [`${command} in place of the file`, plant, lockFile, words] as const;
    }),
  ];
  networkTest.each(PLANTED)(
    "%s: an ADD goes on without, its undo leaves the bridge, nothing else is touched",
    async (host, _, plant, path, words) => {
      mkdirSync(outside);
      writeFileSync(`${outside}/file`, "precious", { mode: 0o644 });
      await plant(host);
      const files = async () => (await host.state()).filter((line) => line.startsWith("file /run/"));
      const planted = await files();
      const { added, failed, bridges } = await addAndFail(host, "c");
      const warning = `cannot lock the host's network namespace: "${path()}" ${words}`;
      expect(added.split("\n")).toEqual([expect.stringContaining(warning), ""]);
      expect(failed).toContain('cannot undo bridge "br1": "/run/bridgehead');
      expect(bridges).toEqual([BRIDGE, "br1"]);
      expect(await files()).toEqual(planted);
      expect(readFileSync(`${outside}/file`, "utf8")).toBe("precious");
      await host.run("ip link del br1");
      for (const place of [LOCK_FOLDER, outside]) rmSync(place, { recursive: true });
    },
  );

  networkTest("a file in it that another user can hold is not waited for", async (host) => {
    mkdirSync(LOCK_FOLDER);
    chmodSync(LOCK_FOLDER, 0o777);
    writeFileSync(lockFile(), "", { mode: 0o600 });
    for (const [spoil, words] of [
      [() => chmodSync(lockFile(), 0o666), "has mode 0666"],
      [() => chownSync(lockFile(), INTRUDER.user, 0), `belongs to user ${INTRUDER.user}`],
    ] as const) {
      spoil();
      chmodSync(LOCK_FOLDER, 0o777);
      const { intruder, held } = await Intruder.on("exclusive", INTRUDER.user, [lockFile()]);
      await using _ = intruder;
      expect(held).toEqual([lockFile()]);
      const outcome = await addAndFail(host, words.slice(0, 3).trim());
      expect(outcome.added).toContain(`"${lockFile()}" ${words}`);
      await host.run("ip link del br1");
      // The folder is root's: it is closed again.
      expect(lstatSync(LOCK_FOLDER).mode & 0o7777).toBe(0o700);
    }
    rmSync(LOCK_FOLDER, { recursive: true });
  });

  networkTest("/run is read-only: an ADD works and says so", async (host) => {
    const one = await prepare(host, "c", WHOLE);
    const script = 'mount -n -o remount,bind,ro /run; exec "$@"';
    const under = ["unshare", "--mount", "--propagation=private", "/bin/sh", "-ec", script, "sh"];
    const call = async (command: string) => (await one.callUnder(under, one.request(command))).stderr;
    expect(await call("ADD")).toContain("read-only file system");
    expect(await call("DEL")).toBe("");
  });

  networkTest("an ADD waits for an undo under way, and then goes on", async (host) => {
    const one = await attach(host, "c", WHOLE);
    await one.del();
    const keeper = await LockKeeper.on(lockFile());
    const call = one.call("ADD");
    await eventually("the ADD waits", () =>
      readFileSync("/proc/locks", "utf8").includes(`-> FLOCK  ADVISORY  READ`),
    );
    await keeper[Symbol.asyncDispose]();
    expect(`${await call}`).toStartWith("exit code 0");
    await one.del();
  });

  networkTest(
    "a port that lost its bridge to an undo without the same lock makes its ADD fail, to be tried again",
    async (host) => {
      using plugins = new ProgramFolder();
      const result = JSON.stringify({ cniVersion: "1.1.0", ips: [{ address: "10.77.0.2/24" }] });
      plugins.script("remover", `[ "$CNI_COMMAND" != ADD ] || { ip link del ${BRIDGE}; echo '${result}'; }`);
      const one = await prepare(host, "c", { ipam: { type: "remover" } });
      const outcome = await host.plugin("bridge", { ...one.request("ADD"), path: plugins.path });
      const msg = expect.stringContaining("is not a port of the bridge any more");
      expect(outcome.json()).toMatchObject({ code: 11, msg });
      expect(await one.interfaces()).toEqual(["lo"]);
    },
  );
});
