/** Whether the plugin runs, and the error's code, for each command in each version and condition. */
import { describe, expect, test } from "bun:test";
import type { Environment } from "../../src/cni/environment.ts";
import { call, configOf, environmentOf, FakePlugin } from "./fake-host.ts";

/** A table in text: a row of names, then rows of a name and its cells. */
function table(text: string): (readonly [row: string, column: string, cell: string])[] {
  const [head = "", ...rows] = text.trim().split("\n");
  const columns = head.trim().split(/\s+/);
  return rows.flatMap((line) => {
    const [row = "", ...cells] = line.trim().split(/\s+/);
    if (cells.length !== columns.length) throw new Error(`row ${row} has ${cells.length} cells`);
    return columns.map((column, index) => [row, column, cells[index] ?? ""] as const);
  });
}

/** Runs one cell. "ok": the plugin ran. "-": the protocol answered without it. A number: the error's code. */
async function verify(cell: string, environment: Environment, stdin: string, host = {}): Promise<void> {
  const plugin = new FakePlugin();
  const answer = await call(plugin, environment, stdin, host);
  expect({
    cell: answer.error === undefined ? (plugin.requests.length > 0 ? "ok" : "-") : String(answer.error.code),
  }).toEqual({ cell });
  expect(answer.exitCode).toBe(cell === "ok" || cell === "-" ? 0 : 1);
  if (cell !== "ok") expect(plugin.requests).toEqual([]);
}

describe("A11, A12: command by version", () => {
  test.each(
    table(`
           ADD DEL CHECK GC STATUS VERSION FOO
    absent  ok  ok     1  1      1       -   4
    empty   ok  ok     1  1      1       -   4
    0.1.0   ok  ok     1  1      1       -   4
    0.2.0   ok  ok     1  1      1       -   4
    0.3.0   ok  ok     1  1      1       -   4
    0.3.1   ok  ok     1  1      1       -   4
    0.4.0   ok  ok    ok  1      1       -   4
    1.0.0   ok  ok    ok  1      1       -   4
    1.1.0   ok  ok    ok ok     ok       -   4
    0.5.0    1   1     1  1      1       -   4
    1.2.0    1   1     1  1      1       -   4
    a.b      1   1     6  6      6       -   4
    number   6   6     6  6      6       -   4
    `),
  )("%s %s: %s", async (version, command, cell) => {
    const values: Record<string, unknown> = { absent: undefined, empty: "", number: 1 };
    const cniVersion = version in values ? values[version] : version;
    await verify(cell, environmentOf(command), configOf({ cniVersion }));
  });
});

describe("A1–A4, A8: command by environment", () => {
  const changes: Record<string, Environment> = {
    complete: {},
    "no-id": { CNI_CONTAINERID: "" },
    "no-netns": { CNI_NETNS: "" },
    "no-ifname": { CNI_IFNAME: "" },
    "no-path": { CNI_PATH: "" },
    "no-args": { CNI_ARGS: "" },
    "bad-id": { CNI_CONTAINERID: "a/b" },
    "bad-ifname": { CNI_IFNAME: "a/b" },
    "own-netns": { CNI_NETNS: "/own" },
    overridden: { CNI_NETNS: "/own", CNI_NETNS_OVERRIDE: "1" },
  };
  test.each(
    table(`
                ADD DEL CHECK GC STATUS VERSION FOO
    complete     ok  ok    ok ok     ok       -   4
    no-id         4   4     4 ok     ok       -   4
    no-netns      4  ok     4 ok     ok       -   4
    no-ifname     4   4     4 ok     ok       -   4
    no-path       4   4     4  4      4       -   4
    no-args      ok  ok    ok ok     ok       -   4
    bad-id        4   4     4 ok     ok       -   4
    bad-ifname    4   4     4 ok     ok       -   4
    own-netns     8   8    ok ok     ok       -   4
    overridden   ok  ok    ok ok     ok       -   4
    `),
  )("%s %s: %s", async (condition, command, cell) => {
    await verify(cell, environmentOf(command, changes[condition]), configOf(), {
      isOwnNetns: (path: string) => path === "/own",
    });
  });
});

describe("A9, A10, A14: command by configuration", () => {
  const documents: Record<string, string> = {
    valid: configOf({ unknown: 1 }),
    empty: "",
    "no-json": "{",
    array: "[]",
    "no-name": '{"cniVersion": "1.1.0"}',
    "bad-name": configOf({ name: "a/b" }),
    "name-type": configOf({ name: {} }),
    "prev-type": configOf({ prevResult: 1 }),
    "list-type": configOf({ "cni.dev/valid-attachments": 1 }),
  };
  test.each(
    table(`
               ADD DEL CHECK GC STATUS VERSION FOO
    valid       ok  ok    ok ok     ok       -   4
    empty        6   6     6  6      6       -   6
    no-json      6   6     6  6      6       -   6
    array        6   6     6  6      6       -   6
    no-name      7   7     7  7      7       -   7
    bad-name     7   7     7  7      7       -   7
    name-type    6   6     6  6      6       -   6
    prev-type    6   6     6  6      6       -   4
    list-type    6   6     6  6      6       -   4
    `),
  )("%s %s: %s", async (condition, command, cell) => {
    await verify(cell, environmentOf(command), documents[condition] ?? "");
  });
});
