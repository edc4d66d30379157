/** Too little of something is success or one error object with exit code 1, and nothing is left behind. */
import { describe, expect, test } from "bun:test";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { protocolProblems } from "../support/protocol.ts";
import { SUBNET, surroundedCall } from "../support/surrounded-call.ts";

/** What came of an ADD: "added", or the code and message of its error. */
async function outcomeOfAdd(line: string, stdin?: string): Promise<string> {
  using leases = new LeaseDirectory();
  const call = stdin === undefined ? { line } : { line, stdin: stdin.replace("@", leases.dataDir) };
  const outcome = await surroundedCall(leases, call);
  expect(`${line}: ${outcome}`).toMatch(/: exit code [01],/);
  expect(protocolProblems("ADD", outcome)).toEqual([]);
  if (outcome.exitCode === 0) {
    expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
    return "added";
  }
  expect(leases.leases()).toEqual({});
  const { code, msg } = outcome.json<{ code: number; msg: string }>();
  return `${code} ${msg}`;
}

const steps = (from: number, to: number, by: number) =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);

const NO_MEMORY = /^(999|5 error reading from stdin:) there is not enough memory for this call/;

test("K21: any limit of address space, from what the kernel needs to start the file", async () => {
  const found = new Set<string>();
  for (const kibibytes of steps(2200, 9000, 100))
    found.add(await outcomeOfAdd(`ulimit -v ${kibibytes}; exec "$@"`));
  const errors = [...found].filter((each) => each !== "added");
  for (const error of errors) expect(error).toMatch(NO_MEMORY);
  expect(found.has("added") && errors.length > 0).toBe(true);
  expect(await outcomeOfAdd('ulimit -v 8000; exec "$@"')).toBe("added");
});

test("any limit of the stack", async () => {
  for (const kibibytes of [16, 32, 64, 100, 128, 200, 256])
    expect(await outcomeOfAdd(`ulimit -s ${kibibytes}; exec "$@"`)).toBe("added");
});

/** A configuration with `x`, which no one reads. */
const withKey = (x: string): string =>
  JSON.stringify({
    cniVersion: "1.1.0",
    name: "net",
    type: "host-local",
    ipam: { type: "host-local", dataDir: "@", ...SUBNET },
    x: "#",
  }).replace('"#"', x);

describe("a configuration that takes more than there is", () => {
  const many = (piece: string, count: number) => `[${Array(count).fill(piece).join(",")}]`;
  test.each([
    ["nested arrays", "[".repeat(9_000) + "]".repeat(9_000)],
    ["nested objects", `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`],
    ["numbers", many("1", 60_000)],
    ["objects", many('{"a":1}', 12_000)],
    ["text", `"${"x".repeat(500_000)}"`],
    ["text of other letters", `"${"\u20ac".repeat(100_000)}"`],
    ["what is no JSON", `${"[".repeat(9_000)}!`],
  ])("%s", async (_, x) => {
    const found = new Set<string>();
    for (const kibibytes of steps(3600, 12_000, 400))
      found.add(await outcomeOfAdd(`ulimit -v ${kibibytes}; exec "$@"`, withKey(x)));
    for (const each of found) {
      if (each === "added" || /^6 .*: unexpected "!"/.test(each)) continue;
      expect(each.replace(/^5 error reading from stdin:/, "999")).toMatch(NO_MEMORY);
    }
    expect(
      [...found].some((each) => NO_MEMORY.test(each.replace(/^5 error reading from stdin:/, "999"))),
    ).toBe(true);
  });
});

test("descriptors 0 to 2 closed in all ways: no output gets into a lease", async () => {
  for (let closed = 1; closed < 8; closed++) {
    using leases = new LeaseDirectory();
    const closing = ["<&-", ">&-", "2>&-"].filter((_, index) => closed & (1 << index)).join(" ");
    const outcome = await surroundedCall(leases, { line: `exec "$@" ${closing}` });
    // Without input there is no configuration, without output no one to get the result.
    const added = (closed & 3) === 0;
    expect({ closing, exitCode: outcome.exitCode }).toEqual({ closing, exitCode: added ? 0 : 1 });
    expect(leases.leases()).toEqual(added ? { "10.1.0.2": "c1\r\neth0" } : {});
    if (!added && (closed & 2) === 0) expect(protocolProblems("ADD", outcome)).toEqual([]);
  }
});
