/** Waiting for a lock with a signal mask that somebody else set. */
import { expect, test } from "bun:test";
import { outcomeOf } from "../support/command.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";

test.each(["--block-signal=ALRM", "--ignore-signal=ALRM"])(
  "a wait ends at its deadline under env %s",
  async (option) => {
    using directory = new LeaseDirectory();
    directory.write("lock", "");
    const path = JSON.stringify(`${directory.path}/lock`);
    const flock = JSON.stringify(`${import.meta.dir}/../../src/sys/flock.ts`);
    // flock(2) excludes two descriptors of one process as well.
    const script = `
      const { lockFile } = await import(${flock});
      using _ = lockFile(${path}, 0);
      try { lockFile(${path}, 100); } catch (error) { console.log(error.message); }`;
    const command = ["env", option, process.execPath, "-e", script];
    const { exitCode, stdout, stderr } = await outcomeOf(command);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${path} is still locked after 100 ms\n`,
      stderr: "",
    });
  },
);
