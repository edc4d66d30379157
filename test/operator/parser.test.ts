/** O1, O4: the words of a call, and what is said of wrong ones. */
import { describe, expect, test } from "bun:test";
import { runCommand as runFew } from "../../src/operator/few-commands.ts";
import { parse } from "../../src/operator/parser.ts";
import { PLUGINS } from "../../src/plugins/registry.ts";
import { COMMAND_NAMES, command, recordingTerminal } from "./recording.ts";

describe("O1: bridgehead COMMAND", () => {
  test("--help lists all commands in 80 columns, the version first", async () => {
    const { exitCode, stdout, stderr } = await command(["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toStartWith("bridgehead 1.2.3\n");
    for (const name of COMMAND_NAMES) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test.each(COMMAND_NAMES)("%s --help fits one screen of 80 columns", async (name) => {
    const { exitCode, stdout } = await command([name, "--help"]);
    expect(exitCode).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(48);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect((await command(["help", name])).stdout).toBe(stdout);
    const { program } = recordingTerminal();
    const writes: string[] = [];
    await parse([name, "--help"], { ...program, stdout: (text) => writes.push(text) });
    expect(writes).toEqual([stdout]);
  });
});

describe("O4: wrong words", () => {
  test.each([
    [["instal"], 'unknown argument "instal" (did you mean install?); see bridgehead --help'],
    [["--wersion"], 'unknown argument "--wersion"'],
    [["help", "leeses"], 'unknown argument "leeses"; see bridgehead --help'],
    [
      ["install", "a", "b"],
      'unknown argument "install a b": there are too many; see bridgehead install --help',
    ],
    [["install", "--force"], 'unknown argument "--force"; see bridgehead install --help'],
    [["install", ""], 'unknown argument ""; name a folder'],
    [
      ["leases", "--json", "-q"],
      "--json and --quiet exclude each other; give one of them; see bridgehead leases",
    ],
    [["leases", "--metrics", "--json"], "--json and --metrics exclude each other"],
    [["leases", "--metrics", "--state", "dead"], "--metrics and --state exclude each other"],
    [["show", "--dot", "-q"], "--quiet and --dot exclude each other"],
    [["validate", "--json", "-q"], "--json and --quiet exclude each other"],
    [["gc", "--undo", "--alive", "-"], "--undo and --alive exclude each other"],
    [["release", "net1"], "the argument ADDRESS|CONTAINER is missing; see bridgehead release --help"],
    [
      ["completion", "tcsh"],
      'SHELL cannot be "tcsh"; give one of bash, zsh, fish; see bridgehead completion',
    ],
    [["leases", "--state", "gone"], '--state cannot be "gone"; give one of alive, dead, unknown; see'],
    [["leases", "--network"], '--network needs a value, as in "--network NAME"; see bridgehead leases'],
    [
      ["gc", "--network", "ours", "net"],
      '"net" and --network "ours" both name the network; give one of them',
    ],
  ])("%j is exit code 2, on standard error, in one line", async (words, message) => {
    const { exitCode, stdout, stderr } = await command(words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("O1: the compact file", () => {
  test("its help is one page of 80 columns, with all its words and what this file needs", async () => {
    const { said, program } = recordingTerminal();
    await runFew(["--help"], { ...program, plugins: PLUGINS.map(({ name }) => name) });
    const lines = said.stdout.trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(48);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const text = said.stdout.replaceAll(/\s+/g, " ");
    expect(text).toContain(
      'It needs Linux 4.11 or later on x86-64 or arm64, and /proc; no C library. README.md, "What it needs", has the details.',
    );
    // Only the Bun file ends with that exit code.
    expect(text).not.toContain("134");
    for (const words of ["install [DIR]", "uninstall [DIR]", "--yes", "--dry-run", "--from-image"])
      expect(text).toContain(words);
  });

  test.each([
    [["--help"], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [[], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [["install", "--help"], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [["uninstall", "/nowhere", "--yes", "-h"], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [["help", "install"], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [["leases", "--help"], 2, /^$/, /cannot run "leases"/],
    [["install", "a", "b", "--help"], 0, /^bridgehead 1\.2\.3\n/, /^$/],
    [["leases"], 2, /^$/, /^bridgehead: cannot run "leases": .*the Bun file has all commands\n$/],
    [["install", "a", "b"], 2, /^$/, /unknown argument "install a b"/],
    [["--wersion"], 2, /^$/, /unknown argument "--wersion"/],
  ])("%j", async (words, exitCode, stdout, stderr) => {
    const { said, program } = recordingTerminal();
    expect(await runFew(words, program)).toBe(exitCode);
    expect(said.stdout).toMatch(stdout);
    expect(said.stderr).toMatch(stderr);
  });
});
