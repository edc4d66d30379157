/** O4: a reader that has enough, such as `head -1`, is no failure of a command. */
import { expect, test } from "bun:test";
import { runOperatorCommand } from "../../src/operator.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { recordingTerminal } from "./recording.ts";

const [EPIPE, ENOSPC] = [32, 28];

/** Runs a command whose standard output cannot be written. */
async function failing(errno: number, words: readonly string[]) {
  const { said, program } = recordingTerminal();
  const stdout = () => {
    throw new SystemError("write", errno);
  };
  return { exitCode: await runOperatorCommand(words, { ...program, stdout }), stderr: said.stderr };
}

test.each([["schema"], ["explain"], ["manual"], ["--help"]])(
  "O4: %s to a pipe without a reader ends silently, and to a full disk it says so",
  async (word) => {
    expect(await failing(EPIPE, [word])).toEqual({ exitCode: 0, stderr: "" });
    const full = await failing(ENOSPC, [word]);
    expect(full.exitCode).toBe(1);
    expect(full.stderr).toContain("(ENOSPC)");
  },
);
