import { expect, test } from "bun:test";
import { outcomeOf, outputOf } from "./command.ts";

test("K24: a command that takes too long is killed, and says so", async () => {
  const { exitCode, stdout, stderr } = await outcomeOf("echo begun; echo wait >&2; exec sleep 1000", {
    timeout: 1000,
  });
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 137,
    stdout: "begun\n",
    stderr: "wait\ntimed out after 1 s\n",
  });
});

test("K24: what the command has started does not keep it waiting", async () => {
  const { stdout, stderr } = await outcomeOf("sleep 20 & echo $!; wait", { timeout: 1000 });
  process.kill(Number(stdout));
  expect(stderr).toBe("timed out after 1 s\n");
});

test("the output of a child that outlives the command is waited for", async () => {
  expect(await outputOf("(sleep 0.2; echo late) & echo early")).toBe("early\nlate\n");
});

test("output of any size comes whole, a character that is cut off included", async () => {
  const printed = await outputOf("yes äö | head -c 4999998");
  expect(printed === `${"äö\n".repeat(999_999)}ä\ufffd`).toBe(true);
});
