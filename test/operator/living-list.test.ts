/** O11: the list of the living containers, from files and from the tools of runtimes. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LivingList, readLivingList } from "../../src/operator/living-list.ts";

const root = mkdtempSync(join(tmpdir(), "bridgehead-living-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
/** A folder for PATH with a tool of a runtime. */
function pathWith(tool: string, script: string): { PATH: string } {
  const folder = join(root, String(++count));
  mkdirSync(folder);
  writeFileSync(join(folder, tool), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, tool), 0o755);
  return { PATH: `/nowhere:${folder}` };
}
function file(text: string): string {
  const path = join(root, `list-${++count}`);
  writeFileSync(path, text);
  return path;
}

describe("O11: a container lives", () => {
  test.each([
    ["0123456789abcdef", "0123456789abcdef", true],
    ["0123456789ab", "0123456789abcdef", true],
    ["0123456789abcdef", "default-0123456789abcdef", true],
    ["default-0123456789ab", "default-0123456789abcdef", true],
    ["0123456789abcdef", "1123456789abcdef", false],
    ["0123456789abcdef", "0123456789ab", false],
  ])("%s on the list, %s in a lease: %p", (listed, id, lives) => {
    expect(new LivingList(["x", listed]).has(id)).toBe(lives);
  });
});

describe("O11: the list from a file", () => {
  test("has an id in each line", () => {
    expect(readLivingList(file("a1\r\n\n b2 \nc3"), {}).ids).toEqual(["a1", "b2", "c3"]);
  });

  test.each(["POD ID   CREATED\nabc  now\n", "a b\n", "../x\n"])("with %j is none: exit code 2", (text) => {
    expect(() => readLivingList(file(text), {})).toThrow(expect.objectContaining({ exit: 2 }));
  });

  test("that cannot be read is exit code 4", () => {
    const missing = expect.objectContaining({
      exit: 4,
      message: expect.stringContaining("nothing was changed"),
    });
    expect(() => readLivingList("/nowhere/list", {})).toThrow(missing);
  });
});

describe("O11: the list of a runtime's tool", () => {
  const items = (value: unknown) => `cat <<'E'\n${JSON.stringify(value)}\nE`;

  test("crictl: all pods, ready or not", () => {
    const pods = {
      items: [
        { id: "a1", state: "SANDBOX_READY" },
        { id: "b2", state: "SANDBOX_NOTREADY" },
      ],
    };
    expect(readLivingList("crictl", pathWith("crictl", items(pods))).ids).toEqual(["a1", "b2"]);
    expect(readLivingList("crictl", pathWith("crictl", items({ items: null }))).ids).toEqual([]);
  });

  test("podman: all but those that have ended", () => {
    const containers = [
      { Id: "a1", State: "running" },
      { Id: "b2", State: "exited" },
      { Id: "c3", State: "created" },
    ];
    expect(readLivingList("podman", pathWith("podman", items(containers))).ids).toEqual(["a1", "c3"]);
  });

  test("nerdctl: those of all namespaces, with the namespace", () => {
    const script = `[ "$1" = namespace ] && { printf 'default\\nk8s.io\\n'; exit; }
[ "$2" = default ] && printf '{"ID":"a1","Status":"Up"}\\n{"ID":"b2","Status":"Exited (0) 1 second ago"}\\n'
true`;
    expect(readLivingList("nerdctl", pathWith("nerdctl", script)).ids).toEqual(["default-a1"]);
  });

  test.each([
    ["fails", "echo no runtime >&2; exit 3", "ended with exit code 3: no runtime"],
    ["prints no JSON", "echo hello", "it is not JSON"],
    ["prints something else", "echo 7", "it is not a list of containers"],
    ["prints containers without ids", `echo '[{"State":"running"}]'`, "a container has no id"],
  ])("that %s ends with 4", (_, script, message) => {
    const failure = expect.objectContaining({ exit: 4, message: expect.stringContaining(message) });
    expect(() => readLivingList("podman", pathWith("podman", script))).toThrow(failure);
  });

  test("that is not there ends with 4", () => {
    const failure = expect.objectContaining({
      exit: 4,
      message: expect.stringContaining("no program of that name on PATH"),
    });
    expect(() => readLivingList("crictl", { PATH: "/nowhere" })).toThrow(failure);
  });
});
