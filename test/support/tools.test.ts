/** K23: a tool is found by what it says that it is, wherever something else of its name stands. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distributionFirst, search } from "./tools.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bridgehead-tools-"));
  program("system/bridge", 'echo "bridge utility, 6.1.0"');
  program("system/ip", 'echo "ip utility, iproute2-6.1.0"');
  // As go install leaves it.
  program("plugins/bridge", 'echo "CNI bridge plugin version unknown" >&2');
  // As busybox answers, and one that can't be started.
  program("busybox/ip", 'echo "BusyBox v1.35.0 multi-call binary" >&2; exit 1');
  writeFileSync(join(root, "busybox/bridge"), "\x7fELF of another machine", { mode: 0o755 });
});
afterAll(() => rmSync(root, { recursive: true }));

function program(path: string, script: string): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), `#!/bin/sh\n${script}\n`);
  chmodSync(join(root, path), 0o755);
}

const inRoot = (...folders: string[]) => folders.map((folder) => join(root, folder)).join(":");
const TOOLS = ["bridge", "ip"] as const;

test.each([
  ["the only ones", ["system"], ["system"]],
  ["behind a plugin", ["plugins", "system"], ["system", "plugins"]],
  ["behind busybox and a plugin", ["busybox", "plugins", "system"], ["system", "busybox", "plugins"]],
  ["before them", ["system", "plugins", "busybox"], ["system", "plugins", "busybox"]],
])("tools %s come first on PATH", async (_, path, first) => {
  const found = await search(TOOLS, inRoot(...path));
  expect(found).toEqual({ path: inRoot(...first), absent: [], others: [] });
});

test("what has only the name is absent, and named", async () => {
  const { absent, others } = await search(TOOLS, inRoot("busybox", "plugins"));
  expect(absent).toEqual(["bridge", "ip"]);
  expect(others).toEqual(["busybox/bridge", "plugins/bridge", "busybox/ip"].map((path) => join(root, path)));
});

test("what stands in the way of each other is absent", async () => {
  program("half/bridge", 'echo "bridge utility, 6.1.0"');
  program("half/ip", "exit 1");
  program("other/ip", 'echo "ip utility, iproute2-6.1.0"');
  program("other/bridge", "exit 1");
  const { absent } = await search(TOOLS, inRoot("half", "other"));
  expect(absent).toEqual(["bridge"]);
});

test("a plugin that is asked gets no call", async () => {
  process.env.CNI_COMMAND = "ADD";
  try {
    program("asked/bridge", `[ -z "$CNI_COMMAND" ] && echo "bridge utility, 6"`);
    expect((await search(["bridge"], inRoot("asked"))).absent).toEqual([]);
  } finally {
    delete process.env.CNI_COMMAND;
  }
});

test("the distribution's programs go before those of a user's PATH", () => {
  const [first] = distributionFirst().split(":");
  expect(first).toBe("/usr/sbin");
  expect(distributionFirst().split(":")).toEqual(
    expect.arrayContaining((process.env.PATH ?? "").split(":").filter((folder) => folder !== "")),
  );
});
