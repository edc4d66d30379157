/** What somebody who may write into dataDir could plant there: links, and files that are none. */
import { describe, expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../support/command.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { disagreement, SUBNET, surroundedCall } from "../support/surrounded-call.ts";

const PRECIOUS = "root:x:0:0\n";

/** A place outside of dataDir with a file, and what is in it now. */
class Outside implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "outside-"));
  constructor() {
    writeFileSync(join(this.path, "precious"), PRECIOUS);
  }
  expectUntouched(): void {
    expect(readdirSync(this.path)).toEqual(["precious"]);
    expect(readFileSync(join(this.path, "precious"), "utf8")).toBe(PRECIOUS);
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** All commands, none of which may hang, or say what does not fit its exit code. Returns the exit code of ADD. */
async function callAll(leases: LeaseDirectory): Promise<number> {
  const exitCodes: number[] = [];
  for (const command of ["STATUS", "ADD", "CHECK", "DEL", "GC"]) {
    const outcome = await surroundedCall(leases, { command, whole: { "cni.dev/valid-attachments": [] } });
    expect({ command, problem: disagreement(outcome) }).toEqual({ command, problem: undefined });
    exitCodes.push(outcome.exitCode);
  }
  return exitCodes[1] ?? -1;
}

describe("a link out of the directory is never followed to write", () => {
  for (const target of ["precious", "missing"]) {
    for (const [name, exitCode] of [
      ["lock", 1],
      ["last_reserved_ip.0", 0],
      ["10.1.0.2", 0],
    ] as const) {
      test(`${name}, to a file that is ${target}`, async () => {
        using leases = new LeaseDirectory();
        using outside = new Outside();
        mkdirSync(leases.path);
        symlinkSync(join(outside.path, target), join(leases.path, name));
        expect(await callAll(leases)).toBe(exitCode);
        outside.expectUntouched();
        expect(lstatSync(join(leases.path, name)).isSymbolicLink()).toBe(true);
      });
    }

    test(`the cache's file, to one that is ${target}`, async () => {
      using leases = new LeaseDirectory();
      using outside = new Outside();
      mkdirSync(leases.state);
      symlinkSync(join(outside.path, target), join(leases.state, "net.index"));
      expect(await callAll(leases)).toBe(0);
      outside.expectUntouched();
    });
  }

  test("the cache's folder", async () => {
    using leases = new LeaseDirectory();
    using outside = new Outside();
    symlinkSync(outside.path, leases.state);
    expect(await callAll(leases)).toBe(0);
    outside.expectUntouched();
  });

  test("the error of a lock that is a link says what it is", async () => {
    using leases = new LeaseDirectory();
    mkdirSync(leases.path);
    symlinkSync("/dev/null", join(leases.path, "lock"));
    const { stdout } = await surroundedCall(leases);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 5,
      msg: expect.stringContaining(`"${leases.path}/lock" is a symbolic link, not a regular file: remove it`),
    });
  });
});

test("dataDir itself may be a link", async () => {
  using leases = new LeaseDirectory();
  mkdirSync(join(leases.dataDir, "real"));
  const link = join(leases.dataDir, "link");
  symlinkSync("real", link);
  const ipam = { ...SUBNET, dataDir: link };
  expect((await surroundedCall(leases, { ipam })).exitCode).toBe(0);
  expect(readdirSync(join(leases.dataDir, "real/net")).sort()).toEqual([
    "10.1.0.2",
    "last_reserved_ip.0",
    "lock",
  ]);
  expect((await surroundedCall(leases, { ipam, command: "DEL" })).exitCode).toBe(0);
});

describe("what is no plain file stops nothing for ever", () => {
  for (const kind of ["mkfifo", "mkdir", "mknod -m 600"]) {
    for (const name of ["lock", "last_reserved_ip.0", "10.1.0.2"]) {
      test(`${kind} ${name}`, async () => {
        using leases = new LeaseDirectory();
        mkdirSync(leases.path);
        const path = join(leases.path, name);
        // A device that says "no space left" to each write; only root can make one, a plain user gets a fifo.
        const device = process.getuid?.() === 0 ? `mknod -m 600 ${path} c 1 7` : `mkfifo ${path}`;
        await outputOf(kind.startsWith("mknod") ? device : `${kind} ${path}`);
        // Without a lock no address is safe.
        expect(await callAll(leases)).toBe(name === "lock" ? 1 : 0);
        expect(lstatSync(path).isFile()).toBe(false);
      });
    }
  }
});

describe("ipam.resolvConf", () => {
  test.each([
    ["a fifo", "mkfifo", 0],
    ["endless", "ln -s /dev/zero", 1],
    ["a directory", "mkdir", 1],
    ["nothing, by way of /dev/null", "ln -s /dev/null", 0],
  ])("that is %s does not stop the plugin", async (_, command, exitCode) => {
    using leases = new LeaseDirectory();
    const resolvConf = join(leases.dataDir, "resolv.conf");
    await outputOf(`${command} ${resolvConf}`);
    const outcome = await surroundedCall(leases, { ipam: { ...SUBNET, resolvConf } });
    expect({ exitCode: outcome.exitCode, problem: disagreement(outcome) }).toEqual({
      exitCode,
      problem: undefined,
    });
    if (exitCode === 1) expect(leases.leases()).toEqual({});
  });
});

test("a hint of many megabytes is read to its 64th byte", async () => {
  using leases = new LeaseDirectory();
  leases.write("last_reserved_ip.0", "10.1.0.7".padEnd(100 * 2 ** 20, " "));
  const { exitCode, stdout } = await surroundedCall(leases);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ips: [{ address: "10.1.0.2/24" }] });
});
