/** Calls at the same time, each in a process of its own. */

/** Runs call.ts once for each list of words, all at once, and returns the exit codes. */
export function callAtOnce(calls: readonly (readonly string[])[]): Promise<number[]> {
  const program = `${import.meta.dir}/call.ts`;
  const children = calls.map((words) =>
    Bun.spawn([process.execPath, program, ...words], {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    }),
  );
  return Promise.all(children.map((child) => child.exited));
}
