/** O15: uninstall puts back exactly what was there, whenever an installation or an earlier uninstall was killed. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Before } from "../../src/operator/before.ts";
import { planUninstall, remove, uninstall } from "../../src/operator/uninstall.ts";

const NAMES = ["bridge", "host-local", "loopback", "portmap", "bridgehead"];
const root = mkdtempSync(join(tmpdir(), "uninstall-"));
afterAll(() => rmSync(root, { recursive: true }));

let folder = "";
/** Two names of one file, a link, and a name without a file. */
beforeEach(() => {
  folder = mkdtempSync(join(root, "node-"));
  writeFileSync(join(folder, "bridge"), "of the Go plugins");
  chmodSync(join(folder, "bridge"), 0o4751);
  utimesSync(join(folder, "bridge"), 1000, 2000);
  linkSync(join(folder, "bridge"), join(folder, "host-local"));
  symlinkSync("/bin/busybox", join(folder, "loopback"));
});

/** All that is in the folder: kind, inode, mode, owner, names, time, content. */
const state = (): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const { ino, mode, uid, gid, nlink, mtimeMs } = lstatSync(path);
      const content = lstatSync(path).isFile() ? readFileSync(path, "utf8") : "";
      const target = lstatSync(path).isSymbolicLink() ? readlinkSync(path) : "";
      return `${name} ${ino} ${mode.toString(8)} ${uid} ${gid} ${nlink} ${mtimeMs} ${content}${target}`;
    });

/** The steps of an installation, as install.ts makes them, up to so many of its names. */
function installed(count = NAMES.length, text = "bridgehead"): void {
  const program = join(folder, ".install-0");
  writeFileSync(program, text);
  new Before(folder).record(program, NAMES);
  for (const name of NAMES.slice(0, count)) {
    linkSync(program, join(folder, ".install-1"));
    renameSync(join(folder, ".install-1"), join(folder, name));
  }
  rmSync(program);
}

test("O15: everything is as before, also after upgrades", () => {
  const before = state();
  installed();
  installed(NAMES.length, "the next version");
  expect(state()).not.toEqual(before);
  expect(uninstall(folder)).toEqual([
    { name: "bridge", action: "restore" },
    { name: "host-local", action: "restore" },
    { name: "loopback", action: "restore" },
    { name: "portmap", action: "remove" },
    { name: "bridgehead", action: "remove" },
  ]);
  expect(state()).toEqual(before);
});

describe("O15: a killed call", () => {
  test.each([0, 1, 2, 3, 4, 5])("an installation after %d names", (count) => {
    const before = state();
    installed(count);
    uninstall(folder);
    expect(state()).toEqual(before);
  });

  test.each([0, 1, 2, 3, 4, 5])("an uninstallation after %d names", (count) => {
    const before = state();
    installed();
    const record = new Before(folder);
    for (const each of planUninstall(record).slice(0, count)) remove(record, each);
    uninstall(folder);
    expect(state()).toEqual(before);
  });

  test("an installation while it keeps the files, and one after it", () => {
    const before = state();
    installed(0);
    const kept = join(folder, ".bridgehead-before");
    rmSync(join(kept, "host-local"));
    renameSync(join(kept, "bridge"), join(kept, "bridge.new"));
    installed();
    linkSync(join(kept, "bridge"), join(kept, "bridge.new"));
    uninstall(folder);
    expect(state()).toEqual(before);
  });
});

describe("O15: it changes nothing and names", () => {
  const refuse = (message: RegExp): void => {
    const now = state();
    expect(() => uninstall(folder)).toThrow(message);
    expect(state()).toEqual(now);
  };

  test("files that another program has replaced since, or written over", () => {
    installed();
    writeFileSync(join(folder, "portmap.new"), "of a package");
    renameSync(join(folder, "portmap.new"), join(folder, "portmap"));
    refuse(/^another program has replaced portmap since the installation; move it away/);
    rmSync(join(folder, "bridge"));
    writeFileSync(join(folder, "bridge"), "of a package");
    refuse(/^another program has replaced bridge, portmap since/);
    // Another installation keeps those instead.
    const packaged = state().filter((line) => /^(bridge|portmap) /.test(line));
    installed();
    uninstall(folder);
    expect(state().filter((line) => /^(bridge|portmap) /.test(line))).toEqual(packaged);
  });

  test("files that are no longer kept, and a list of something else", () => {
    installed();
    rmSync(join(folder, ".bridgehead-before/loopback"));
    refuse(/^what loopback was before is no longer in .*\.bridgehead-before; install/);
    writeFileSync(join(folder, ".bridgehead-before/list"), "{}");
    refuse(/is not a list of this program; move its folder away/);
  });
});

test("O15: without an installation there is nothing to do, and a removed program comes back", () => {
  const before = state();
  expect(uninstall(folder)).toEqual([]);
  installed();
  rmSync(join(folder, "bridge"));
  rmSync(join(folder, "portmap"));
  uninstall(folder);
  expect(state()).toEqual(before);
  expect(existsSync(join(folder, ".bridgehead-before"))).toBe(false);
});
