import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Environment } from "../../src/cni/environment.ts";
import { CniError } from "../../src/cni/error.ts";
import { emptyResult } from "../../src/cni/result.ts";
import { notedTime } from "../support/call-time.ts";
import { bytes, call, configOf, environmentOf, FakePlugin, noDelegation, someResult } from "./fake-host.ts";

const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;
const refuseStdin = {
  readStdin: (): Uint8Array => {
    throw new Error("stdin was read");
  },
};

describe("A5: no command", () => {
  test.each([{}, { CNI_COMMAND: "" }, { CNI_COMMAND: undefined, CNI_IFNAME: "a/b" }])(
    "%j: an about line on stderr, nothing on stdout, stdin not read",
    async (environment: Environment) => {
      const plugin = new FakePlugin({}, "bridge");
      expect(await call(plugin, environment, "", refuseStdin)).toMatchObject({
        exitCode: 0,
        stdout: "",
        stderr:
          "CNI bridge plugin v1.9.1+Bridgehead.1.2.3\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n",
      });
      expect(plugin.requests).toEqual([]);
    },
  );
});

describe("A6: an unknown command", () => {
  test("is reported after stdin was found valid, and requires no other variable", async () => {
    const answer = await call(new FakePlugin(), { CNI_COMMAND: "add" }, configOf({ cniVersion: "0.4.0" }));
    expect(answer.error).toEqual({ cniVersion: "0.4.0", code: 4, msg: "unknown CNI_COMMAND: add" });
    expect(answer.stdinReads).toBe(1);
  });

  test.each([
    ["{", 6],
    ["{}", 7],
    ['{"name": "n", "cniVersion": "9.9.9"}', 4],
  ])("with %s has code %d", async (stdin, code) => {
    expect((await call(new FakePlugin(), { CNI_COMMAND: "x" }, stdin)).error?.code).toBe(code as number);
  });
});

test("A7, A19: VERSION does not read stdin, and prints one line", async () => {
  const answer = await call(
    new FakePlugin(),
    { CNI_COMMAND: "VERSION", CNI_IFNAME: "dummy" },
    "",
    refuseStdin,
  );
  expect(answer).toMatchObject({
    exitCode: 0,
    stderr: "",
    stdout:
      '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n',
  });
});

describe("A8: the plugin's own namespace", () => {
  const own = { isOwnNetns: (path: string) => path === "/own" };
  const to = (command: string, changes: Environment = {}) =>
    environmentOf(command, { CNI_NETNS: "/own", ...changes });

  test.each(["ADD", "DEL"])("%s is refused with code 8 before the plugin runs", async (command) => {
    const plugin = new FakePlugin();
    const answer = await call(plugin, to(command), configOf(), own);
    expect(answer.error).toEqual({
      cniVersion: "1.1.0",
      code: 8,
      msg: "plugin's netns and netns from CNI_NETNS should not be the same",
    });
    expect(answer.stderr).toContain('"/own"');
    expect(plugin.requests).toEqual([]);
  });

  test.each(["1", "TRUE", "true"])("CNI_NETNS_OVERRIDE=%s permits it", async (value) => {
    for (const command of ["ADD", "DEL"]) {
      const answer = await call(
        new FakePlugin(),
        to(command, { CNI_NETNS_OVERRIDE: value }),
        configOf(),
        own,
      );
      expect(answer.exitCode).toBe(0);
    }
  });

  test("other namespaces, other commands and an empty path are not refused", async () => {
    const plugin = new FakePlugin();
    const everything = { isOwnNetns: () => true };
    expect((await call(plugin, environmentOf("ADD"), configOf(), own)).exitCode).toBe(0);
    expect((await call(plugin, to("CHECK"), configOf(), own)).exitCode).toBe(0);
    expect((await call(plugin, to("DEL", { CNI_NETNS: "" }), configOf(), everything)).exitCode).toBe(0);
    expect((await call(plugin, to("GC"), configOf(), everything)).exitCode).toBe(0);
    expect(plugin.commands).toEqual(["ADD", "CHECK", "DEL", "GC"]);
  });
});

test("A9: a read error has code 5", async () => {
  const answer = await call(new FakePlugin(), environmentOf("ADD"), "", refuseStdin);
  expect(answer.error).toMatchObject({ code: 5, msg: "error reading from stdin: stdin was read" });
});

const TRACE = "BRIDGEHEAD_TRACE=FILE in the plugin's environment writes each step to a file";

describe("A16, A17: the error object", () => {
  const failing = (thrown: unknown) =>
    new FakePlugin({
      add: () => {
        throw thrown;
      },
    });

  test("has its keys in order, the configuration's version, and a newline at its end", async () => {
    const plugin = failing(new CniError(11, "try later", "the lock is held"));
    const answer = await call(plugin, environmentOf("ADD"), configOf({ cniVersion: "0.3.1" }));
    expect(answer.exitCode).toBe(1);
    expect(answer.stdout).toBe(
      '{\n    "cniVersion": "0.3.1",\n    "code": 11,\n    "msg": "try later",\n    "details": "the lock is held"\n}\n',
    );
    expect(answer.stderr).toBe("");
  });

  test("has no details when there are none", async () => {
    const answer = await call(failing(new CniError(7, "no")), environmentOf("ADD"), configOf());
    expect(answer.error).toEqual({ cniVersion: "1.1.0", code: 7, msg: "no" });
  });

  test.each([
    ["an error", new Error("no room"), "no room"],
    ["text", "text", "text"],
    ["undefined", undefined, "undefined"],
    ["an object", { a: 1 }, "[object Object]"],
  ])("A18: %s that is thrown has code 999", async (_, thrown, msg) => {
    const answer = await call(failing(thrown), environmentOf("ADD"), configOf());
    expect(answer.error).toEqual({ cniVersion: "1.1.0", code: 999, msg });
  });

  test.each([
    ["the kernel refused it", new CniError(999, "cannot add x: file exists (EEXIST)"), TRACE],
    ["and there are details", new CniError(999, "no space (ENOSPC)", "more"), `more; ${TRACE}`],
    ["a delegate has said so", new CniError(999, "(EEXIST)", TRACE), TRACE],
    ["another try may succeed", new CniError(11, "interrupted (EINTR)"), undefined],
    ["the cause is in the words", new CniError(7, 'unknown key "E" (or E)'), undefined],
  ])("O18: the details name the trace when %s", async (_, error, details) => {
    expect((await call(failing(error), environmentOf("ADD"), configOf())).error?.details).toBe(details);
    const traced = environmentOf("ADD", { BRIDGEHEAD_TRACE: "/run/trace" });
    expect((await call(failing(error), traced, configOf())).error?.details ?? "").toBe(error.details);
  });

  test.each([
    ["{", "1.1.0"],
    ['{"cniVersion": "0.4.0"}', "0.4.0"],
    ["{}", "0.1.0"],
    ['{"cniVersion": "9.0.0", "name": "n"}', "1.1.0"],
    ['{"cniVersion": 5, "name": "n"}', "1.1.0"],
    ["[]", "1.1.0"],
  ])("about %s is in version %s", async (stdin, version) => {
    expect((await call(new FakePlugin(), environmentOf("ADD"), stdin)).error?.cniVersion).toBe(version);
  });

  test("about the environment is in the current version, and stdin is not read", async () => {
    const answer = await call(
      new FakePlugin(),
      environmentOf("ADD", { CNI_IFNAME: "" }),
      configOf(),
      refuseStdin,
    );
    expect(answer.error).toMatchObject({ cniVersion: "1.1.0", code: 4 });
  });

  test("goes to stderr when stdout is closed", async () => {
    let stderr = "";
    const exitCode = await call(failing(new Error("the cause")), environmentOf("ADD"), configOf(), {
      stdout: () => {
        throw new Error("broken pipe");
      },
      stderr: (text) => {
        stderr += text;
      },
    }).catch((error: unknown) => error);
    // `call` itself can't read an error object here; the protocol must not have thrown.
    expect(exitCode).toBeInstanceOf(SyntaxError);
    expect(stderr).toBe("the cause\n");
  });
});

describe("A20, A21: output of success", () => {
  test.each(["CHECK", "DEL", "GC", "STATUS"])("%s prints nothing", async (command) => {
    const plugin = new FakePlugin();
    const answer = await call(plugin, environmentOf(command), configOf());
    expect(answer).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(plugin.commands).toEqual([command]);
  });

  test.each(["0.2.0", "0.4.0", "1.0.0"])("ADD prints its result in version %s", async (cniVersion) => {
    const answer = await call(new FakePlugin(), environmentOf("ADD"), configOf({ cniVersion }));
    expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(answer.stdout).cniVersion).toBe(cniVersion);
  });

  test("each line that the plugin logs is written to stderr", async () => {
    const plugin = new FakePlugin({ del: async (request) => request.log("a line") });
    expect((await call(plugin, environmentOf("DEL"), configOf())).stderr).toBe("a line\n");
  });
});

describe("an ADD is undone when its result does not reach the caller", () => {
  test("when the result can't be written", async () => {
    const plugin = new FakePlugin();
    const written: string[] = [];
    const answer = await call(plugin, environmentOf("ADD"), configOf(), {
      stdout: (text) => {
        if (written.push(text) === 1) throw new Error("no space left on device");
      },
    }).catch((error: unknown) => error);
    expect(answer).toBeInstanceOf(SyntaxError);
    expect(plugin.commands).toEqual(["ADD", "DEL"]);
    expect(JSON.parse(written[1] ?? "")).toMatchObject({
      code: 999,
      msg: "cannot deliver the result: no space left on device",
    });
  });

  test("when the version can't express the result, and a failure of DEL is logged", async () => {
    const plugin = new FakePlugin({
      add: async () => emptyResult(),
      del: () => Promise.reject(new Error("still busy")),
    });
    const answer = await call(plugin, environmentOf("ADD"), configOf({ cniVersion: "0.2.0" }));
    expect(answer.error?.msg).toBe("cannot deliver the result: cannot convert: no valid IP addresses");
    expect(answer.stderr).toStartWith("cannot take the attachment back: still busy\n");
    expect(answer.error?.details).toBe("cannot take the attachment back: still busy");
    expect(plugin.commands).toEqual(["ADD", "DEL"]);
  });

  test("but not when the plugin itself failed, since it undoes its own work", async () => {
    const plugin = new FakePlugin({ add: () => Promise.reject(new Error("no")) });
    await call(plugin, environmentOf("ADD"), configOf());
    expect(plugin.commands).toEqual(["ADD"]);
  });
});

describe("K8: callTimeout, the seconds of a call", () => {
  const timeOf = async (keys: object, command = "ADD") => {
    const notes: string[] = [];
    const answer = await call(new FakePlugin(), environmentOf(command), configOf(keys), {
      time: notedTime(notes),
    });
    return { notes, error: answer.error };
  };

  test.each(COMMANDS)("is read for %s", async (command) => {
    const keys = { callTimeout: 90, "cni.dev/valid-attachments": [] };
    expect(await timeOf(keys, command)).toEqual({ notes: ["limit 90000"], error: undefined });
  });

  test("has its default when it is absent or null", async () => {
    expect(await timeOf({})).toEqual({ notes: ["limit 20000"], error: undefined });
    expect(await timeOf({ callTimeout: null })).toEqual({ notes: ["limit 20000"], error: undefined });
  });

  test.each([1, 3600])("may be %d", async (callTimeout) => {
    expect((await timeOf({ callTimeout })).notes).toEqual([`limit ${callTimeout * 1000}`]);
  });

  test.each([0, -1, 3601])("%d is refused with code 7, its unit, bounds and default", async (callTimeout) => {
    const { notes, error } = await timeOf({ callTimeout });
    expect(notes).toEqual([]);
    expect(error).toMatchObject({
      code: 7,
      msg: `invalid callTimeout ${callTimeout} (must be whole seconds between 1 and 3600; 20 when it is left out)`,
    });
  });

  test.each(["20", 1.5, true, {}])("%j is refused with code 6 and its key", async (callTimeout) => {
    const { error } = await timeOf({ callTimeout });
    expect(error?.code).toBe(6);
    expect(error?.msg).toStartWith('cannot decode: key "callTimeout" must be a whole number, not ');
  });
});

test("the plugin gets the whole call", async () => {
  const plugin = new FakePlugin({ add: async () => someResult() });
  const environment = environmentOf("ADD", { CNI_ARGS: "A=1", CNI_PATH: "/a:/b", TRACEPARENT: "00-1" });
  const stdin = configOf({ extra: [1] });
  await call(plugin, environment, stdin);
  const [request] = plugin.requests;
  expect(request).toMatchObject({
    command: "ADD",
    containerId: "container-1",
    netns: "/var/run/netns/a",
    ifname: "eth0",
    args: "A=1",
    path: ["/a", "/b"],
    stdin: bytes(stdin),
    environment,
    delegation: noDelegation,
  });
  expect(request?.config).toMatchObject({ name: "net", cniVersion: "1.1.0" });
});

test("A16: any bytes on stdin give exit code 0, or 1 and one error object", async () => {
  const stdin = fc.oneof(
    fc.uint8Array(),
    fc.json().map(bytes),
    fc.jsonValue().map((name) => bytes(configOf({ name }))),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...COMMANDS, "x"), stdin, async (command, each) => {
      const plugin = new FakePlugin();
      const answer = await call(plugin, environmentOf(command), each);
      expect(answer.stderr).toBe("");
      if (answer.exitCode === 0) return expect(plugin.requests).toHaveLength(1);
      expect(answer.exitCode).toBe(1);
      expect(plugin.requests).toEqual([]);
      expect([1, 4, 6, 7]).toContain(answer.error?.code ?? 0);
      expect(answer.error?.msg).not.toBe("");
    }),
    { numRuns: 300 },
  );
});
