/** O3: long sentences on a terminal. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { withWrapping, wrapped } from "../../src/operator/sentences.ts";
import { outcomeOf } from "../support/command.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";
import { PROJECT } from "../support/test-files.ts";
import { command, recordingTerminal } from "./recording.ts";

const TEXT = "testnet: 10.77.0.2 of container c1, interface eth0: its network namespace is gone";

describe("O3: a sentence", () => {
  test("goes on in the next line of a terminal, and stays on its line in a pipe", () => {
    expect(wrapped(TEXT, Number.POSITIVE_INFINITY)).toBe(TEXT);
    expect(wrapped(TEXT, 50)).toBe(
      "testnet: 10.77.0.2 of container c1, interface\n  eth0: its network namespace is gone",
    );
    expect(`12345678${wrapped("one two ".repeat(8), 50, 8)}`).toBe(
      `12345678${"one two ".repeat(5).trimEnd()}\n        one two one two one two`,
    );
  });

  test("has at most 100 columns on a wide terminal, and whole words", () => {
    const path = `/var/lib/${"x".repeat(120)}`;
    const lines = wrapped(`${"word ".repeat(50)}${path}`, 300).split("\n");
    expect(lines.slice(0, -1).every((line) => line.length <= 100)).toBe(true);
    expect(lines.at(-1)).toBe(`  ${path}`);
  });

  test("of standard error is wrapped too, but not what goes on in its line", () => {
    const { said, program } = recordingTerminal();
    const wrapping = withWrapping(program, 50);
    wrapping.stderr(`${TEXT}\n`);
    wrapping.stderr(`${TEXT}? [y/N] `);
    expect(said.stderr).toBe(`${wrapped(TEXT, 50)}\n${TEXT}? [y/N] `);
  });

  test("of a failure is wrapped", async () => {
    const words = ["show", "--config-dir", "/dev/null/a/rather/long/path/of/a/folder/that/cannot/be/read"];
    const [narrow, pipe] = [await command(words, { columns: 60 }), await command(words)];
    expect(pipe.stderr.trimEnd().split("\n")).toHaveLength(1);
    for (const line of narrow.stderr.split("\n")) expect(line.length).toBeLessThanOrEqual(70);
    expect(narrow.stderr.replaceAll(/\n {2}/g, " ")).toBe(pipe.stderr);
  });

  testUnless(whyNoProgram("script"))("fits the terminal of the program itself", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "sentences-")), "a-network-with-a-long-name.conflist");
    const plugin = { type: "bridge", isGatway: true, ipam: { type: "host-local" } };
    writeFileSync(file, JSON.stringify({ cniVersion: "1.1.0", name: "a", plugins: [plugin] }));
    const validate = `${process.execPath} ${PROJECT}/src/main.ts validate --offline`;
    const [narrow, piped] = [
      await outcomeOf(["script", "-qec", `stty cols 70; ${validate} ${file} /nowhere`, "/dev/null"]),
      await outcomeOf(["sh", "-c", `${validate} ${file} /nowhere 2>&1`]),
    ];
    const lines = narrow.stdout.split("\r\n");
    expect(lines.length).toBeGreaterThan(piped.stdout.split("\n").length);
    for (const line of lines) expect(line.replace(file, "").length).toBeLessThanOrEqual(70);
    expect(lines.join("\n").replaceAll("\n  ", " ")).toBe(piped.stdout);
    rmSync(dirname(file), { recursive: true });
  });
});
