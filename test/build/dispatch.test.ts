/** The one file is the plugin whose name it was invoked by, however that name came about. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { REFERENCE_LEVEL } from "../../src/cni/version.ts";
import { outcomeOf } from "../support/command.ts";
import { builtBinaries } from "../support/plugin-call.ts";

const bin = builtBinaries();
const PLUGINS = ["bridge", "host-local", "loopback", "portmap", "static", "firewall", "tuning"] as const;

/** Beside the built file, so that hard links reach. */
const folder = mkdtempSync(join(bin, ".test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const freshFolder = () => {
  const path = join(folder, String(++count));
  mkdirSync(path);
  return path;
};

/** Another name of a built file, in the folder `where`. */
function linked(by: (from: string, to: string) => void, name: string, where: string, as: string): string {
  by(join(bin, name), join(where, as));
  return join(where, as);
}

/** Stands for a PATH that is the test's folder. */
const ON_PATH = {};

/** Which plugin answers: without CNI_COMMAND each names itself on stderr (rule A5). */
async function whoAnswers(command: string, env: Record<string, string>, cwd: string): Promise<string> {
  const { exitCode, stdout, stderr } = await outcomeOf(["/bin/sh", "-c", command], { env, cwd, stdin: "" });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  return /^CNI (\S+) plugin v(\S+)$/m.exec(stderr)?.slice(1).join(" ") ?? stderr;
}

describe.each([...PLUGINS])("%s answers", (plugin) => {
  const itself = `${plugin} ${REFERENCE_LEVEL}+Bridgehead.${version}`;
  const other = plugin === "bridge" ? "loopback" : "bridge";

  /** What is called in a folder of its own, and with which PATH and where. */
  test.each<[string, (where: string) => string, Record<string, string>?, string?]>([
    ["A5: by an absolute path", () => join(bin, plugin)],
    ["by a relative path", () => `./${plugin}`, {}, bin],
    ["by a bare name on PATH, as the CNI scripts call it", () => plugin, { PATH: `/nowhere:${bin}` }],
    ["by a symlink to the file of another plugin", (where) => linked(symlinkSync, other, where, plugin)],
    [
      "by a symlink found on PATH",
      (where) => linked(symlinkSync, "bridgehead", where, plugin) && plugin,
      ON_PATH,
    ],
    ["K11: by a name that contains its own", (where) => linked(symlinkSync, other, where, `cnv-${plugin}`)],
    ["by a hard link to bridgehead", (where) => linked(linkSync, "bridgehead", where, plugin)],
    ["by a copy of bridgehead", (where) => linked(copyFileSync, "bridgehead", where, plugin)],
    [
      "after a rename from another name",
      (where) => {
        renameSync(linked(linkSync, "bridgehead", where, "what-a-download-is-called"), join(where, plugin));
        return join(where, plugin);
      },
    ],
  ])("%s", async (_what, prepare, env = {}, cwd = "/") => {
    const where = freshFolder();
    const variables = env === ON_PATH ? { PATH: where } : env;
    expect(await whoAnswers(prepare(where), variables, cwd)).toBe(itself);
  });

  test("A19, F1: with VERSION on stdout", async () => {
    const { exitCode, stdout } = await outcomeOf([join(bin, plugin)], {
      env: { CNI_COMMAND: "VERSION" },
      stdin: "{}",
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      cniVersion: "1.1.0",
      supportedVersions: [
        ...(plugin === "firewall" ? [] : ["0.1.0", "0.2.0", "0.3.0", "0.3.1"]),
        ...["0.4.0", "1.0.0", "1.1.0"],
      ],
    });
  });
});

test("all names are hard links to one file", () => {
  const inodes = ["bridgehead", ...PLUGINS].map((name) => statSync(join(bin, name)).ino);
  expect(new Set(inodes).size).toBe(1);
  expect(statSync(join(bin, "bridge")).mode & 0o777).toBe(0o755);
});

describe("bridgehead", () => {
  const say = (words: readonly string[]) =>
    outcomeOf([join(bin, "bridgehead"), ...words], { env: {}, stdin: "" });

  test.each([[[]], [["--help"]], [["help"]]])(
    "%j prints help and the plugins that it holds",
    async (words: string[]) => {
      const { exitCode, stdout, stderr } = await say(words);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toStartWith(`bridgehead ${version}`);
      for (const plugin of PLUGINS) expect(stdout).toMatch(new RegExp(`\\b${plugin}\\b`));
    },
  );

  test("O1, K10: --version prints the version in a line of its own, then commit, engine and reference", async () => {
    const { exitCode, stdout, stderr } = await say(["--version"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      `bridgehead ${version}`,
      expect.stringMatching(/^commit (unknown|[0-9a-f]{40,64}( with changes)?)$/),
      expect.stringMatching(/^engine (Bun|quickjs-ng) \d+\.\d+\.\d+$/),
      `behaves like containernetworking/plugins v${REFERENCE_LEVEL}`,
      "",
    ]);
  });

  test("an unknown word is an error that names it", async () => {
    const stderr = expect.stringContaining("--wersion");
    expect(await say(["--wersion"])).toMatchObject({ exitCode: 2, stdout: "", stderr });
  });
});

test("A7, K11: VERSION needs neither a name that says which plugin it is, nor stdin", async () => {
  const path = join(freshFolder(), "macvlan");
  linkSync(join(bin, "bridgehead"), path);
  const { exitCode, stdout } = await outcomeOf([path], { env: { CNI_COMMAND: "VERSION" }, stdin: "no JSON" });
  expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 0, cniVersion: "1.1.0" });
});

test("A16: a runtime that calls it by a name it does not know gets one error object that tells the names", async () => {
  const path = linked(linkSync, "bridgehead", freshFolder(), "macvlan");
  const { exitCode, stdout } = await outcomeOf([path], { env: { CNI_COMMAND: "ADD" }, stdin: "{}" });
  expect(exitCode).toBe(1);
  const error = JSON.parse(stdout) as { code: number; msg: string };
  expect(error.code).toBe(4);
  expect(error.msg).toContain('"macvlan"');
  for (const plugin of PLUGINS) expect(error.msg).toContain(plugin);
});
