/** The locks that an ADD takes: only root can hold one, and an ADD does without where there cannot be one (K1). */
import { describe, expect, test } from "bun:test";
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
import type { ScratchHost } from "../../support/scratch-host.ts";
import { Attachment, BRIDGE, configuration, hostLocal, V4, withNetwork } from "./network.ts";

const LEASES = "/var/lib/cni/networks/testnet";
const lockFile = () => `${LOCK_FOLDER}/netns-${statSync("/proc/self/ns/net").ino}.lock`;

const WHOLE = configuration({ isGateway: true, ipMasq: true, ipMasqBackend: "nftables" });

/** This ADD makes a bridge, and then gets no address: the only one of its range is the gateway's. */
const FAILING = configuration({
  bridge: "br1",
  isGateway: true,
  ipam: hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" }),
});

const bridges = async (host: ScratchHost) =>
  (await host.json<{ ifname: string }[]>("ip -j link show type bridge")).map(({ ifname }) => ifname).sort();

/** An ADD that works, one that fails, and what both say on stderr. */
async function addAndFail(host: ScratchHost, name: string) {
  const good = new Attachment(host, await host.addNamespace(`${name}-good`), WHOLE);
  const added = await good.call("ADD");
  expect(`${added}`).toStartWith("exit code 0");
  const bad = await new Attachment(host, await host.addNamespace(`${name}-bad`), FAILING).call("ADD");
  expect(bad.json<{ code: number }>()).toMatchObject({ code: 999 });
  await good.del();
  return { added: added.stderr, failed: bad.stderr, bridges: await bridges(host) };
}

describe("K1: a process without privileges delays no ADD, and keeps no undo from its bridge", () => {
  const holds: readonly Hold[] = ["exclusive", "shared", "exclusive, again and again"];
  const cases = holds.flatMap((hold) => INTRUDER.groups.map((group) => ({ hold, group })));
  test.each(cases)("group $group holds all it can: $hold", ({ hold, group }) =>
    withNetwork(async (host) => {
      // The lock of the leases is as the Go plugin makes it: the group may open it.
      await host.run(`install -d ${LEASES} && install -m 0750 /dev/null ${LEASES}/lock`);
      await addAndFail(host, "before");
      const locks = [lockFile(), LOCK_FOLDER, `${LEASES}/lock`];
      const others = ["/proc/self/ns/net", "/run", "/var/lib/cni", "/var/lib/cni/networks", LEASES];
      const { intruder, held, refused } = await Intruder.on(hold, group, [...locks, ...others]);
      await using _ = intruder;
      expect({ held, refused }).toEqual({ held: others, refused: locks });
      expect(await addAndFail(host, "beside")).toEqual({ added: "", failed: "", bridges: [BRIDGE] });
    }),
  );
});

describe("K1: the place of the lock", () => {
  test("is made by whichever of many comes first, for root alone, whatever the umask", () =>
    withNetwork(async (host) => {
      const umask = process.umask(0o777);
      try {
        const attachments: Attachment[] = [];
        for (let index = 0; index < 16; index++)
          attachments.push(new Attachment(host, await host.addNamespace(`c${index}`), WHOLE));
        const outcomes = await Promise.all(attachments.map((attachment) => attachment.call("ADD")));
        expect(outcomes.map(({ exitCode, stderr }) => `${exitCode} ${stderr}`)).toEqual(
          attachments.map(() => "0 "),
        );
        for (const attachment of attachments) await attachment.del();
      } finally {
        process.umask(umask);
      }
      expect(lstatSync(LOCK_FOLDER).mode & 0o7777).toBe(0o700);
      expect(readdirSync(LOCK_FOLDER).map((name) => `${LOCK_FOLDER}/${name}`)).toEqual([lockFile()]);
      expect(lstatSync(lockFile())).toMatchObject({ mode: 0o100600, uid: 0, size: 0 });
    }));

  const outside = "/run/outside";
  const foreign = (path: string, words: string) =>
    `cannot lock the host's network namespace: "${path}" ${words}`;
  /** What is planted, what the ADD says about it, and what belongs away after the test. */
  const PLANTED: readonly [string, (host: ScratchHost) => unknown, words: () => string][] = [
    [
      "a link to a folder",
      () => symlinkSync(outside, LOCK_FOLDER),
      () => foreign(LOCK_FOLDER, "is a symbolic link"),
    ],
    [
      "a link to nothing",
      () => symlinkSync(`${outside}/x`, LOCK_FOLDER),
      () => foreign(LOCK_FOLDER, "is a symbolic link"),
    ],
    [
      "a file",
      () => writeFileSync(LOCK_FOLDER, ""),
      () => foreign(LOCK_FOLDER, "is a regular file, not a directory"),
    ],
    [
      "a fifo",
      (host) => host.run(`mkfifo ${LOCK_FOLDER}`),
      () => foreign(LOCK_FOLDER, "is a fifo, not a directory"),
    ],
    [
      "a folder of another user",
      () => {
        mkdirSync(LOCK_FOLDER);
        chownSync(LOCK_FOLDER, INTRUDER.user, INTRUDER.user);
      },
      () => foreign(LOCK_FOLDER, `belongs to user ${INTRUDER.user}`),
    ],
    ...(
      [
        "mkfifo",
        "mkdir",
        "ln -s /run/outside/file",
        "ln /run/outside/file",
        "mknod -m 600 X c 1 5 #",
      ] as const
    ).map((command): (typeof PLANTED)[number] => [
      `${command} in place of the file`,
      async (host) => {
        mkdirSync(LOCK_FOLDER, { mode: 0o700 });
        await host.run(`${command.replace("X", lockFile())} ${lockFile()}`);
      },
      () => foreign(lockFile(), command === "ln /run/outside/file" ? "has 2 names" : "is a"),
    ]),
  ];
  test.each(PLANTED)(
    "%s: an ADD goes on without, its undo leaves the bridge, nothing else is touched",
    (_, plant, words) =>
      withNetwork(async (host) => {
        mkdirSync(outside);
        writeFileSync(`${outside}/file`, "precious", { mode: 0o644 });
        await plant(host);
        const planted = (await host.state()).filter((line) => line.startsWith("file /run/"));
        const { added, failed, bridges } = await addAndFail(host, "c");
        expect(added.split("\n")).toEqual([expect.stringContaining(words()), ""]);
        expect(failed).toContain('cannot undo bridge "br1": "/run/bridgehead');
        expect(bridges).toEqual([BRIDGE, "br1"]);
        expect((await host.state()).filter((line) => line.startsWith("file /run/"))).toEqual(planted);
        expect(readFileSync(`${outside}/file`, "utf8")).toBe("precious");
        await host.run("ip link del br1");
        for (const path of [LOCK_FOLDER, outside]) rmSync(path, { recursive: true });
      }),
  );

  test("a file in it that another user can hold is not waited for", () =>
    withNetwork(async (host) => {
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
    }));

  test("/run is read-only: an ADD works and says so", () =>
    withNetwork(async (host) => {
      const { namespace, config } = new Attachment(host, await host.addNamespace("c"), WHOLE);
      const call = (command: string) =>
        host.run(
          `export CNI_COMMAND=${command} CNI_CONTAINERID=c CNI_NETNS=${namespace.path} CNI_IFNAME=eth0
          export CNI_PATH=$BRIDGEHEAD_BIN
          unshare --mount --propagation=private /bin/sh -ec 'mount -n -o remount,bind,ro /run; exec $CNI_PATH/bridge 2>&1 >/dev/null'`,
          { stdin: JSON.stringify(config) },
        );
      expect(await call("ADD")).toContain("read-only file system");
      expect(await call("DEL")).toBe("");
    }));

  test("an ADD waits for an undo under way, and then goes on", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c"), WHOLE);
      await attachment.add();
      await attachment.del();
      const keeper = await LockKeeper.on(lockFile());
      const call = attachment.call("ADD");
      await eventually("the ADD waits", () =>
        readFileSync("/proc/locks", "utf8").includes(`-> FLOCK  ADVISORY  READ`),
      );
      await keeper[Symbol.asyncDispose]();
      expect(`${await call}`).toStartWith("exit code 0");
      await attachment.del();
    }));

  test("a port that lost its bridge to an undo without the same lock makes its ADD fail, to be tried again", () =>
    withNetwork(async (host) => {
      const plugins = "/run/plugins";
      mkdirSync(plugins);
      const result = JSON.stringify({ cniVersion: "1.1.0", ips: [{ address: "10.77.0.2/24" }] });
      const program = `#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || { ip link del ${BRIDGE}; echo '${result}'; }\n`;
      writeFileSync(`${plugins}/remover`, program, { mode: 0o755 });
      const namespace = await host.addNamespace("c");
      const outcome = await host.plugin("bridge", {
        command: "ADD",
        containerId: "c",
        netns: namespace.path,
        ifname: "eth0",
        path: plugins,
        config: configuration({ ipam: { type: "remover" } }),
      });
      expect(outcome.json<{ code: number; msg: string }>()).toMatchObject({
        code: 11,
        msg: expect.stringContaining("is not a port of the bridge any more"),
      });
      expect(await namespace.json("ip -j link")).toHaveLength(1);
      rmSync(plugins, { recursive: true });
    }));
});
