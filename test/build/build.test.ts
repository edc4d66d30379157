/** The build itself: what it puts where, and that it disturbs nobody. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, NAMES } from "../../build/compile.ts";
import { DOCUMENTS, pack } from "../../build/tarball.ts";
import { outputOf } from "../support/command.ts";
import { complaintsIn, documentsIn } from "../support/links.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-build-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a build replaces a file that is running, and the running one goes on", async () => {
  const bin = join(folder, "bin");
  await compile(bin);
  const before = statSync(join(bin, "bridge")).ino;
  const running = Bun.spawn([join(bin, "host-local")], {
    env: { CNI_COMMAND: "DEL", CNI_CONTAINERID: "a", CNI_IFNAME: "eth0", CNI_PATH: bin },
    stdin: "pipe",
    stdout: "pipe",
  });
  const lines = await compile(bin);
  expect(readdirSync(bin).sort()).toEqual([...NAMES].sort());
  expect(new Set(NAMES.map((name) => statSync(join(bin, name)).ino)).size).toBe(1);
  expect(statSync(join(bin, "bridge")).ino).not.toBe(before);
  expect(lines.map((line) => /(\S+) +\d+\.\d MiB/.exec(line)?.[1])).toEqual(
    NAMES.map((name) => join(bin, name)),
  );
  running.stdin.write("not JSON");
  await running.stdin.end();
  expect(await running.exited).toBe(1);
  expect(JSON.parse(await new Response(running.stdout).text())).toMatchObject({ code: 6 });
});

describe("a tarball", () => {
  /** Small files in place of the programs. */
  function files(name: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, "bridgehead"), "program", { mode: 0o755 });
    for (const plugin of NAMES.slice(1)) linkSync(join(path, "bridgehead"), join(path, plugin));
    return path;
  }

  test("unpacks into a folder without touching its mode, as one file with four names", async () => {
    const tarball = join(folder, "a.tar.gz");
    await pack(files("a"), tarball);
    const target = join(folder, "opt-cni-bin");
    mkdirSync(target);
    chmodSync(target, 0o711);
    await outputOf(["tar", "-C", target, "-xzf", tarball]);
    expect(statSync(target).mode & 0o777).toBe(0o711);
    expect(readdirSync(target).sort()).toEqual([...NAMES, DOCUMENTS].sort());
    const programs = NAMES.map((name) => statSync(join(target, name)));
    expect(new Set(programs.map(({ ino }) => ino)).size).toBe(1);
    expect(programs.map(({ mode }) => mode & 0o777)).toEqual(NAMES.map(() => 0o755));
    const listing = await outputOf(["tar", "--numeric-owner", "-tvzf", tarball]);
    for (const line of listing.trim().split("\n"))
      expect(line).toMatch(/^[-hd]rw[-x]r-[-x]r-[-x] 0\/0 .* 2000-01-01 00:00 [a-z]/);
  });

  test("R4: each link of its documents leads to a file and a heading in it", () => {
    const documents = join(folder, "opt-cni-bin", DOCUMENTS);
    const pages = documentsIn(documents);
    expect(pages).toContain("README.md");
    expect(complaintsIn(documents, pages)).toEqual([]);
    for (const path of ["LICENSE", "THIRD-PARTY.md", "deploy/install/daemon-set.yaml"])
      expect(existsSync(join(documents, path))).toBe(true);
  });

  test("is the same for the same files", async () => {
    const [first, second] = [join(folder, "b.tar.gz"), join(folder, "c.tar.gz")];
    await pack(files("b"), first);
    await pack(files("c"), second);
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  });

  test("refuses an unexpected file", async () => {
    const path = files("d");
    writeFileSync(join(path, "left-over"), "");
    await expect(pack(path, join(folder, "d.tar.gz"))).rejects.toThrow("holds unexpected files: left-over");
  });
});
