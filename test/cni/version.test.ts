import { describe, expect, test } from "bun:test";
import { atLeast, findVersion, SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { parseVersion, requireCommand } from "../../src/cni/version-check.ts";
import { call, configOf, environmentOf, FakePlugin, thrownBy } from "./fake-host.ts";

test("A19: seven versions, oldest first", () => {
  expect([...SUPPORTED_VERSIONS]).toEqual(["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
});

describe("A11: the configuration's version", () => {
  test("absent or empty means 0.1.0", () => {
    expect(parseVersion(undefined)).toBe("0.1.0");
    expect(parseVersion("")).toBe("0.1.0");
  });

  test.each(["0.1", "0.5.0", "1.2.0", "1.1.0 ", "v1.0.0", "latest"])("%j is not supported", (text) => {
    expect(findVersion(text)).toBeUndefined();
    const error = thrownBy(() => parseVersion(text));
    expect([error.code, error.message]).toEqual([1, "incompatible CNI versions"]);
    expect(error.details).toBe(
      `config is ${JSON.stringify(text)}, plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]`,
    );
  });
});

describe("A12: commands that came later", () => {
  test.each([
    ["CHECK", "0.4.0", "0.3.1"],
    ["GC", "1.1.0", "1.0.0"],
    ["STATUS", "1.1.0", "1.0.0"],
  ])("%s came with %s", (command, first, before) => {
    requireCommand(command, first);
    requireCommand(command, "12.0.0");
    for (const text of [before, "0.1.0", "", undefined, "0.0.99"]) {
      const error = thrownBy(() => requireCommand(command, text));
      const words = `config version does not allow ${command}`;
      expect([error.code, error.message, error.details]).toEqual([1, words, ""]);
    }
  });

  test("the numbers are compared as numbers, and missing ones are 0", () => {
    requireCommand("CHECK", "0.10.0");
    requireCommand("CHECK", "1");
    requireCommand("CHECK", "0.4");
    expect(thrownBy(() => requireCommand("GC", "1.0.20")).code).toBe(1);
  });

  test.each(["a", "1.a", "1.0.0.0", "1..0", " 1.0.0", "1.0.0-rc1"])("%j can't be parsed", (text) => {
    const error = thrownBy(() => requireCommand("CHECK", text));
    expect(error.code).toBe(6);
    expect(error.message).toContain(JSON.stringify(text));
  });

  test("ADD and DEL are in every version", () => {
    for (const text of ["0.1.0", "a.b", undefined]) {
      requireCommand("ADD", text);
      requireCommand("DEL", text);
    }
  });
});

test("versions are ordered", () => {
  expect(atLeast("1.0.0", "1.0.0")).toBe(true);
  expect(atLeast("1.0.0", "0.4.0")).toBe(true);
  expect(atLeast("0.3.1", "0.4.0")).toBe(false);
});

test("F1: a plugin may support only later versions, and refuses the others as the reference does", async () => {
  const plugin = Object.assign(new FakePlugin(), { oldest: "0.4.0" as const });
  const { error } = await call(plugin, environmentOf("ADD"), configOf({ cniVersion: "0.3.1" }));
  expect(error).toMatchObject({
    code: 1,
    msg: "incompatible CNI versions",
    details: 'config is "0.3.1", plugin supports ["0.4.0" "1.0.0" "1.1.0"]',
  });
  for (const cniVersion of ["0.4.0", "1.1.0"])
    expect((await call(plugin, environmentOf("ADD"), configOf({ cniVersion }))).exitCode).toBe(0);
});
