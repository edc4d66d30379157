/** K22: `bridgehead install` on a node where containers come and go, and where it can't be done. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, outcomeOf, outputOf } from "../support/command.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { PROJECT } from "../support/test-files.ts";

const PLUGINS = ["bridge", "host-local", "loopback", "portmap", "static", "firewall", "tuning"];
const NAMES = [...PLUGINS, "bridgehead"];
const PROGRAM = join(builtBinaries(), "bridgehead");
const SIZE = statSync(PROGRAM).size;

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bridgehead-install-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const fresh = (): string => mkdtempSync(join(root, "node-"));
const install = (words: readonly string[], program = PROGRAM, cwd = root): Promise<Outcome> =>
  outcomeOf([program, "install", "--yes", ...words], { env: {}, cwd });

/** The names in a folder, without what is kept for uninstall. */
const namesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name !== ".bridgehead-before")
    .sort();

/** All names lead to one file like the built one, and there is nothing else. */
function expectInstalled(folder: string): void {
  expect(namesIn(folder)).toEqual([...NAMES].sort());
  const all = NAMES.map((name) => lstatSync(join(folder, name)));
  expect(new Set(all.map(({ ino }) => ino)).size).toBe(1);
  expect(all.map(({ mode }) => (mode & 0o7777).toString(8))).toEqual(NAMES.map(() => "755"));
  expect(readFileSync(join(folder, "bridge")).equals(readFileSync(PROGRAM))).toBe(true);
}

async function expectRefusal(outcome: Outcome, message: RegExp, exitCode = 1): Promise<void> {
  expect({ exitCode: outcome.exitCode, stdout: outcome.stdout }).toEqual({ exitCode, stdout: "" });
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).not.toMatch(/SystemError|posix_spawn|openat|statx|\(E[A-Z]+\)/);
  expect(outcome.stderr.trim().split("\n").length).toBe(1);
}

test("calls of all plugins during installations: none fails, no name is missing, nothing is left", async () => {
  const folder = fresh();
  expect((await install([folder])).exitCode).toBe(0);
  let over = false;
  const failures: string[] = [];
  let calls = 0;
  const call = async (name: string) => {
    while (!over) {
      const { exitCode, stdout, stderr } = await outcomeOf([join(folder, name)], {
        env: { CNI_COMMAND: "VERSION" },
        stdin: "{}",
      }).catch((error) => ({ exitCode: -1, stdout: "", stderr: String(error) }));
      calls++;
      if (exitCode !== 0 || !stdout.includes("1.1.0"))
        failures.push(`${name}: ${exitCode} ${stdout}${stderr}`);
    }
  };
  const looks = async () => {
    while (!over) {
      for (const name of NAMES) if (!existsSync(join(folder, name))) failures.push(`${name} is missing`);
      await Bun.sleep(0);
    }
  };
  const callers = [...PLUGINS.map(call), looks()];
  for (let round = 0; round < 5; round++) {
    const before = calls;
    // By turns from outside and by what is installed there.
    const { exitCode, stderr } = await install(
      [folder],
      round % 2 === 0 ? PROGRAM : join(folder, "bridgehead"),
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    while (calls < before + 5) await Bun.sleep(1);
  }
  over = true;
  await Promise.all(callers);
  expect(failures).toEqual([]);
  expectInstalled(folder);
});

describe("the folder", () => {
  test("is made if it is missing, with those above it", async () => {
    const folder = join(fresh(), "opt/cni/bin");
    const { exitCode, stdout } = await outcomeOf(`umask 077; exec ${PROGRAM} install ${folder}/ --yes`);
    expect([exitCode, stdout.replaceAll(/^note: .*\n/gm, "")]).toEqual([
      0,
      NAMES.map((name) => `${folder}/${name}  new\n`).join(""),
    ]);
    expectInstalled(folder);
  });

  test("may be a link, and relative", async () => {
    const place = fresh();
    mkdirSync(join(place, "real"));
    symlinkSync("real", join(place, "link"));
    expect((await install(["link"], PROGRAM, place)).exitCode).toBe(0);
    expectInstalled(join(place, "real"));
    expect(lstatSync(join(place, "link")).isSymbolicLink()).toBe(true);
  });

  test("is the one of the runtimes if none is given", async () => {
    await outputOf("mkdir -p /opt && mount -t tmpfs tmpfs /opt");
    try {
      expect((await install([])).exitCode).toBe(0);
      expectInstalled("/opt/cni/bin");
    } finally {
      await outputOf("umount /opt");
    }
  });

  test("loses what a killed installation has left, and not what another one is writing", async () => {
    const folder = fresh();
    const old = join(folder, ".install-0123456789abcdef");
    const recent = join(folder, ".install-fedcba9876543210");
    for (const path of [old, recent]) writeFileSync(path, "half");
    utimesSync(old, 0, 0);
    expect((await install([folder])).exitCode).toBe(0);
    expect(namesIn(folder).filter((name) => name.startsWith("."))).toEqual([".install-fedcba9876543210"]);
  });
});

test("programs of others under these names are kept and replaced, and come back (O2, O15)", async () => {
  const folder = fresh();
  writeFileSync(join(folder, "bridge"), "#!/bin/sh\n", { mode: 0o700 });
  linkSync(join(folder, "bridge"), join(root, "kept"));
  symlinkSync("/bin/sh", join(folder, "host-local"));
  symlinkSync("/nowhere", join(folder, "loopback"));
  writeFileSync(join(folder, "macvlan"), "#!/bin/sh\n", { mode: 0o755 });
  const shell = statSync("/bin/sh");
  const before = stateOf(folder);
  const asked = await outcomeOf([PROGRAM, "install", folder], { env: {} });
  expect(asked).toMatchObject({ exitCode: 0, stderr: "nothing was changed; --yes does it\n" });
  expect(asked.stdout.match(/ would be replaced, and kept for uninstall\n/g)?.length).toBe(3);
  expect(stateOf(folder)).toEqual(before);
  const { exitCode, stdout } = await install([folder]);
  expect([exitCode, stdout.match(/ replaced\n/g)?.length, stdout.match(/ new\n/g)?.length]).toEqual([
    0,
    3,
    NAMES.length - 3,
  ]);
  expect(readFileSync(join(root, "kept"), "utf8")).toBe("#!/bin/sh\n");
  expect(readFileSync(join(folder, "macvlan"), "utf8")).toBe("#!/bin/sh\n");
  expect(statSync("/bin/sh").mtimeMs).toBe(shell.mtimeMs);
  // An upgrade keeps the same files.
  expect((await install([folder])).exitCode).toBe(0);
  const dry = await outcomeOf([PROGRAM, "uninstall", folder], { env: {} });
  expect(dry).toMatchObject({ exitCode: 0, stderr: "nothing was changed; --yes does it\n" });
  renameSync(join(folder, "macvlan"), join(root, "macvlan"));
  expectInstalled(folder);
  renameSync(join(root, "macvlan"), join(folder, "macvlan"));
  // By the program itself, whose name goes.
  const own = await outcomeOf([join(folder, "bridgehead"), "uninstall", "--yes", folder], { env: {} });
  expect([
    own.exitCode,
    own.stdout.match(/ as before\n/g)?.length,
    own.stdout.match(/ removed\n/g)?.length,
  ]).toEqual([0, 3, NAMES.length - 3]);
  expect(stateOf(folder)).toEqual(before);
  const again = await outcomeOf([PROGRAM, "uninstall", "--yes", folder], { env: {} });
  expect(again).toMatchObject({ exitCode: 0, stdout: `nothing is installed in ${folder}\n` });
});

/** All that is in a folder: inode, mode, owner, names and time. */
const stateOf = (folder: string): string[] =>
  readdirSync(folder).map((name) => {
    const { ino, mode, uid, gid, nlink, mtimeMs } = lstatSync(join(folder, name));
    return `${name} ${ino} ${mode} ${uid} ${gid} ${nlink} ${mtimeMs}`;
  });

test("on a file system without hard links each name gets a copy", async () => {
  const folder = fresh();
  const EPERM = "1";
  const refused = [process.execPath, join(PROJECT, "test/support/confined.ts"), EPERM, "linkat"];
  const call = [...refused, PROGRAM, "install", "--yes", folder];
  writeFileSync(join(folder, "loopback"), "old");
  await expectRefusal(
    await outcomeOf(call),
    /no hard links, with which loopback could be kept; move them to another folder first \(nothing was replaced\)/,
  );
  rmSync(folder, { recursive: true });
  const { exitCode, stdout } = await outcomeOf(call);
  expect([exitCode, stdout.match(/new, a copy: there are no hard links here\n/g)?.length]).toEqual([
    0,
    NAMES.length,
  ]);
  expect(namesIn(folder)).toEqual([...NAMES].sort());
  for (const name of NAMES) expect(statSync(join(folder, name)).size).toBe(statSync(PROGRAM).size);
  expect((await outcomeOf([PROGRAM, "uninstall", "--yes", folder])).exitCode).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});

test("O15: from an image it installs only into a folder of the host", async () => {
  const folder = fresh();
  const call = [PROGRAM, "install", "--from-image", "--yes"];
  // A folder for temporary files may be a mount.
  const inImage = "/usr/bridgehead-of-a-test";
  try {
    await expectRefusal(
      await outcomeOf([...call, inImage]),
      /it is in the image itself; mount the host's folder there/,
    );
  } finally {
    rmSync(inImage, { recursive: true, force: true });
  }
  await outputOf(["mount", "-t", "tmpfs", "tmpfs", folder]);
  try {
    expect((await outcomeOf([...call, folder])).exitCode).toBe(0);
    expectInstalled(folder);
  } finally {
    await outputOf(["umount", folder]);
  }
});

test("O15: afterwards each name is asked for its versions, and one that does not run is named", async () => {
  const folder = fresh();
  writeFileSync(join(folder, "portmap"), "old");
  const trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", join(folder, "portmap")];
  await expectRefusal(
    await outcomeOf([...trace, "-e", "inject=execve:error=EACCES", PROGRAM, "install", "--yes", folder]),
    /portmap does not run there: .*, tuning, bridgehead replaced, .*; "bridgehead uninstall" puts back what was there/,
  );
  expect((await outcomeOf([PROGRAM, "uninstall", "--yes", folder])).exitCode).toBe(0);
  expect(readFileSync(join(folder, "portmap"), "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["portmap"]);
});

describe("K21: what the kernel lacks", () => {
  const refused = (errno: string, call: string, folder: string) =>
    outcomeOf([
      ...[process.execPath, join(PROJECT, "test/support/confined.ts"), errno, call],
      ...[PROGRAM, "install", "--yes", folder],
    ]);

  test("below the floor is said with the version that is needed, and nothing is installed", async () => {
    const ENOSYS = "38";
    const folder = fresh();
    const outcome = await refused(ENOSYS, "statx", folder);
    await expectRefusal(
      outcome,
      /this kernel is Linux \S+, and 4\.11 or later is needed \(nothing was replaced\)/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test("and only some networks need is a note, and all is installed", async () => {
    const EPROTONOSUPPORT = "93";
    const folder = fresh();
    await outputOf("mount -t tmpfs tmpfs /proc/sys/net");
    const { exitCode, stdout } = await refused(EPROTONOSUPPORT, "socket", folder).finally(() =>
      outputOf("umount /proc/sys/net"),
    );
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^note: this kernel has no nf_tables: /m);
    expect(stdout).toMatch(/^note: packets between containers of one bridge pass no rule of iptables: /m);
    expectInstalled(folder);
    expect((await install([folder])).stdout).not.toContain("no nf_tables");
  });
});

test("README's ways with a tarball come to the same", async () => {
  const readme = readFileSync(join(PROJECT, "README.md"), "utf8");
  const [, short = ""] = /^(tar -C \/tmp .* install .*)$/m.exec(readme) ?? [];
  const [, long = ""] = /```sh\n(mkdir -p \/opt\/cni\/bin\/\.new[^`]*)```/.exec(readme) ?? [];
  const file = join(root, "release.tar.gz");
  await outputOf(["tar", "-C", builtBinaries(), "-I", "gzip -1", "-cf", file, ...NAMES.toReversed()]);
  for (const way of [short, long]) {
    const folder = fresh();
    for (const name of PLUGINS) writeFileSync(join(folder, name), "old");
    const here: Record<string, string> = { FILE: file, "/opt/cni/bin": folder, "/tmp": root };
    const line = way.replace(/FILE|\/opt\/cni\/bin|\/tmp/g, (word) => here[word] ?? word);
    await outputOf(line.replace(" install ", ` install ${folder} `));
    expectInstalled(folder);
  }
});

describe("it says what is in its way, and changes nothing", () => {
  /** A folder with older programs, on a file system of its own. */
  async function mounted(options: string): Promise<string> {
    const folder = fresh();
    await outputOf(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]);
    for (const name of NAMES) writeFileSync(join(folder, name), "old");
    return folder;
  }
  function expectUntouched(folder: string): void {
    expect(readdirSync(folder).sort()).toEqual([...NAMES].sort());
    for (const name of NAMES) expect(readFileSync(join(folder, name), "utf8")).toBe("old");
  }

  test.each([
    ["a read-only file system", "size=1m", "remount,ro", /read-only file system; name the folder that/],
    [
      "a full one",
      `size=${SIZE >> 1}`,
      undefined,
      new RegExp(`no space left on device; ${Math.ceil(SIZE / 2 ** 20)} MiB are needed`),
    ],
    [
      "one that nothing runs on",
      "size=256m,noexec",
      undefined,
      /the file does not run there: it may not be executed: .* mounted noexec/,
    ],
  ])("%s", async (_, options, later, message) => {
    const folder = await mounted(options);
    try {
      if (later !== undefined) await outputOf(["mount", "-o", later, folder]);
      await expectRefusal(await install([folder]), message);
      expectUntouched(folder);
    } finally {
      await outputOf(["umount", folder]);
    }
  });

  test("a user that may not", async () => {
    const folder = fresh();
    chmodSync(root, 0o755);
    for (const name of NAMES) writeFileSync(join(folder, name), "old");
    chmodSync(folder, 0o755);
    // Where any user can run it.
    const program = join(root, "bridgehead");
    linkOrCopy(PROGRAM, program);
    const become = [
      ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "install", "--yes", folder],
    ];
    await expectRefusal(
      await outcomeOf(become),
      /permission denied; run it as root \(nothing was replaced\)/,
      3,
    );
    expectUntouched(folder);
  });

  test("a file in the folder's place, a link that leads nowhere", async () => {
    const place = fresh();
    writeFileSync(join(place, "file"), "");
    symlinkSync("/nowhere/at/all", join(place, "link"));
    await expectRefusal(await install([join(place, "file")]), /it is not a folder \(nothing was replaced\)/);
    await expectRefusal(
      await install([join(place, "link")]),
      /a link of that name points to a folder that does not exist; remove the link/,
    );
  });

  test("a folder that has a plugin's name", async () => {
    const folder = fresh();
    mkdirSync(join(folder, "host-local"));
    const outcome = await install([folder]);
    await expectRefusal(outcome, /"host-local" is a folder there; remove it \(nothing was replaced\)/);
    expect(readdirSync(folder)).toEqual(["host-local"]);
  });

  test.each([[["a", "b"]], [["--force"]], [[""]]])("words that it does not know: %j", async (words) => {
    const { exitCode, stderr } = await install(words);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("unknown argument")]);
  });
});

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    writeFileSync(to, readFileSync(from), { mode: 0o755 });
  }
}
