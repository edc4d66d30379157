/** O19: completions and the manual have all that the table of commands has. */
import { describe, expect, test } from "bun:test";
import { COMMANDS } from "../../src/operator/commands.ts";
import { outcomeOf } from "../support/command.ts";
import { testUnless } from "../support/skip.ts";
import { command } from "./recording.ts";

const scriptOf = async (shell: string) => (await command(["completion", shell])).stdout;

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `${await scriptOf("bash")}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bridgehead; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { exitCode, stdout, stderr } = await outcomeOf(["bash", "-c", script, "bash", ...words]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.split("\n").filter(Boolean);
}

describe("O19: completion", () => {
  testUnless(Bun.which("bash") === null ? "no bash" : undefined)(
    "of bash offers commands, options and values",
    async () => {
      expect(await offered("bridgehead", "")).toEqual([
        ...COMMANDS.map(({ name }) => name),
        "help",
        "--version",
        "--help",
      ]);
      expect(await offered("bridgehead", "le")).toEqual(["leases"]);
      expect(await offered("bridgehead", "gc", "--no")).toEqual(["--none-alive"]);
      expect(await offered("bridgehead", "gc", "--y")).toEqual(["--yes"]);
      expect(await offered("bridgehead", "leases", "--state", "d")).toEqual(["dead"]);
      expect(await offered("bridgehead", "completion", "z")).toEqual(["zsh"]);
    },
  );

  test.each(["zsh", "fish"])("of %s has each command and each option", async (shell) => {
    const script = await scriptOf(shell);
    for (const { name, options } of COMMANDS) {
      expect(script).toMatch(new RegExp(`\\b${name}\\b`));
      for (const { flags } of options) {
        const long = /--([a-z-]+)/.exec(flags)?.[1] ?? "";
        expect(script).toContain(shell === "fish" ? `-l ${long}` : `--${long}[`);
      }
    }
  });

  for (const shell of ["zsh", "fish"])
    testUnless(Bun.which(shell) === null ? `no ${shell}` : undefined)(`of ${shell} is valid`, async () => {
      const { exitCode, stderr } = await outcomeOf([shell, "-n", "/dev/stdin"], {
        stdin: await scriptOf(shell),
      });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    });

  test("of another shell is wrong use", async () => {
    expect(await command(["completion", "tcsh"])).toMatchObject({ exitCode: 2, stdout: "" });
  });
});

test("O19: the manual has each command, each option and each exit code", async () => {
  const { stdout } = await command(["manual"]);
  expect(stdout).toStartWith('.TH BRIDGEHEAD 8 "" "bridgehead 1.2.3"');
  for (const { name, options } of COMMANDS) {
    expect(stdout).toContain(`\n.SS "bridgehead ${name} [OPTIONS]`);
    for (const { flags } of options) expect(stdout).toContain(`\n.B ${flags.replaceAll("-", "\\-")}\n`);
  }
  for (const code of [0, 1, 2, 3, 4]) expect(stdout).toContain(`\n.B ${code}\n`);
  // A line that begins with a dot is a request.
  for (const line of stdout.split("\n"))
    if (line.startsWith(".")) expect(line).toMatch(/^\.(TH|SH|SS|TP|B|PP|nf|fi)\b/);
});
