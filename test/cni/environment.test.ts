import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Environment, readEnvironment } from "../../src/cni/environment.ts";
import { environmentOf, thrownBy } from "./fake-host.ts";

const errorFor = (command: string, changes: Environment) =>
  thrownBy(() => readEnvironment(environmentOf(command, changes)));

describe("A1: required variables", () => {
  const all = { CNI_CONTAINERID: "", CNI_NETNS: "", CNI_IFNAME: "", CNI_PATH: "" };
  test.each([
    ["ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"],
    ["CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"],
    ["DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"],
    ["GC", "CNI_PATH"],
    ["STATUS", "CNI_PATH"],
  ])("%s names all that are missing in one error", (command, names) => {
    const error = errorFor(command, all);
    expect(error.code).toBe(4);
    expect(error.message).toBe(`required env variables [${names}] missing`);
    const unset = Object.fromEntries(Object.keys(all).map((name) => [name, undefined]));
    expect(errorFor(command, unset).message).toBe(error.message);
  });

  test.each(["VERSION", "FOO", "constructor", "__proto__"])("%s requires none", (command) => {
    expect(readEnvironment({ CNI_COMMAND: command }).command).toBe(command);
  });

  test("an invalid value is reported before missing ones", () => {
    expect(errorFor("ADD", { CNI_CONTAINERID: "", CNI_IFNAME: ".." }).message).toContain("interface name is");
    expect(errorFor("ADD", { CNI_CONTAINERID: "", CNI_IFNAME: "" }).message).toContain("missing");
  });

  test("the container id is checked before the interface name", () => {
    expect(errorFor("ADD", { CNI_CONTAINERID: "/", CNI_IFNAME: "/" }).message).toContain("containerID");
  });
});

describe("A2: GC and STATUS", () => {
  test.each(["GC", "STATUS"])("%s requires no attachment and passes none to the plugin", (command) => {
    const empty = { CNI_CONTAINERID: "", CNI_NETNS: "", CNI_IFNAME: "", CNI_ARGS: "" };
    const garbage = { CNI_CONTAINERID: "../..", CNI_NETNS: "x", CNI_IFNAME: "a/b", CNI_ARGS: "=" };
    const none = { containerId: "", netns: "", ifname: "", args: "" };
    expect(readEnvironment(environmentOf(command, empty))).toMatchObject(none);
    expect(readEnvironment(environmentOf(command, garbage))).toMatchObject(none);
  });

  test("DEL takes an empty CNI_NETNS", () => {
    expect(readEnvironment(environmentOf("DEL", { CNI_NETNS: "" })).netns).toBe("");
  });
});

test("ADD gets all values unchanged, and CNI_PATH split", () => {
  const changes = { CNI_ARGS: "IP=1", CNI_PATH: "/a:/b c:", CNI_NETNS: "/n" };
  expect(readEnvironment(environmentOf("ADD", changes))).toEqual({
    command: "ADD",
    containerId: "container-1",
    netns: "/n",
    ifname: "eth0",
    args: "IP=1",
    path: ["/a", "/b c", ""],
    netnsOverride: false,
  });
});

describe("A3: container id", () => {
  test.each(["a", "0", "A-b_c.d", "a".repeat(300), "a.."])("%j is valid", (id) => {
    expect(readEnvironment(environmentOf("ADD", { CNI_CONTAINERID: id })).containerId).toBe(id);
  });

  test.each(["-a", ".a", "_a", "..", "a/b", "a b", "a\n", "é", "a:b"])("%j is not", (id) => {
    const error = errorFor("DEL", { CNI_CONTAINERID: id });
    expect([error.code, error.message, error.details]).toEqual([4, "invalid characters in containerID", id]);
  });
});

describe("K2: the longest container id", () => {
  const longest = 131_055;

  test("is the longest that Linux allows in one variable", () => {
    const id = "a".repeat(longest);
    expect(`CNI_CONTAINERID=${id}\0`.length).toBe(128 * 1024);
    for (const command of ["ADD", "CHECK", "DEL"])
      expect(readEnvironment(environmentOf(command, { CNI_CONTAINERID: id })).containerId).toBe(id);
  });

  test("ADD and CHECK refuse a longer one; DEL accepts it, since nothing can be there", () => {
    const id = "a".repeat(longest + 1);
    for (const command of ["ADD", "CHECK"]) {
      const error = errorFor(command, { CNI_CONTAINERID: id });
      expect([error.code, error.message]).toEqual([
        4,
        "containerID is too long: CNI_CONTAINERID has 131056 bytes, at most 131055 are allowed",
      ]);
    }
    expect(readEnvironment(environmentOf("DEL", { CNI_CONTAINERID: id })).containerId).toBe(id);
  });
});

describe("A4: interface name", () => {
  test.each(["e", "eth0", "a".repeat(15), "...", "é".repeat(7), "a.b-c@d"])("%j is valid", (name) => {
    expect(readEnvironment(environmentOf("ADD", { CNI_IFNAME: name })).ifname).toBe(name);
  });

  test.each([
    ["a".repeat(16), "interface name is too long", "interface name should be less than 16 characters"],
    ["é".repeat(8), "interface name is too long", "interface name should be less than 16 characters"],
    [".", "interface name is . or ..", ""],
    ["..", "interface name is . or ..", ""],
    ...["a/b", "a:b", "a b", "a\tb", "a\n", "\u00a0", "\u0085", "\u2003", "\u3000"].map(
      (name) => [name, "interface name contains / or : or whitespace characters", ""] as const,
    ),
  ] as const)("K14: %j: %s", (name, message, details) => {
    const error = errorFor("ADD", { CNI_IFNAME: name });
    expect([error.code, error.message, error.details]).toEqual([4, message, details]);
    expect(error.remark).toContain(JSON.stringify(name));
  });
});

describe("A8: CNI_NETNS_OVERRIDE", () => {
  test.each([
    ["1", true],
    ["TRUE", true],
    ["true", true],
    ["True", true],
    ["", false],
    ["0", false],
    ["yes", false],
    [undefined, false],
  ])("%j means %j", (value, expected) => {
    const invocation = readEnvironment(environmentOf("ADD", { CNI_NETNS_OVERRIDE: value }));
    expect(invocation.netnsOverride).toBe(expected as boolean);
  });
});

test("A1–A4: any environment is read or refused with code 4, and no invalid value is accepted", () => {
  const value = fc.option(
    fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("eth0", "..", "a/b", "id-1")),
    {
      nil: undefined,
    },
  );
  const names = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH", "CNI_NETNS_OVERRIDE"];
  const command = fc.constantFrom("ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION", "x");
  fc.assert(
    fc.property(command, fc.array(value, { minLength: 6, maxLength: 6 }), (CNI_COMMAND, values) => {
      const environment = {
        CNI_COMMAND,
        ...Object.fromEntries(names.map((name, index) => [name, values[index]])),
      };
      let invocation: ReturnType<typeof readEnvironment>;
      try {
        invocation = readEnvironment(environment);
      } catch {
        expect(thrownBy(() => readEnvironment(environment)).code).toBe(4);
        return;
      }
      expect(invocation.containerId).toMatch(/^$|^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/);
      expect(invocation.ifname).not.toMatch(/[/:\s]|^\.\.?$/);
      expect(Buffer.byteLength(invocation.ifname)).toBeLessThan(16);
    }),
  );
});
