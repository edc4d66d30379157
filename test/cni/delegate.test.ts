import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  delegateAdd,
  delegateCheck,
  delegateDel,
  delegateGc,
  delegateStatus,
} from "../../src/cni/delegate.ts";
import type { Environment } from "../../src/cni/environment.ts";
import type { ChildOutcome, Delegation } from "../../src/cni/plugin.ts";
import { StoppedError } from "../../src/sys/child.ts";
import { NotStartedError } from "../../src/sys/start-failure.ts";
import { notedTime } from "../support/call-time.ts";
import {
  type Answer,
  bytes,
  call,
  configOf,
  environmentOf,
  FakePlugin,
  noDelegation,
  outcome,
} from "./fake-host.ts";
import { fakeIpam } from "./fake-ipam.ts";

/** A plugin that does nothing but delegate to `type`. */
const front = (type = "fake-ipam") =>
  new FakePlugin({
    add: (request) => delegateAdd(request, type),
    check: (request) => delegateCheck(request, type),
    del: (request) => delegateDel(request, type),
    gc: (request) => delegateGc(request, type),
    status: (request) => delegateStatus(request, type),
  });

const inProcess: Delegation = { ...noDelegation, isExecutable: () => true, builtIn: () => fakeIpam };

const asChild: Delegation = {
  ...noDelegation,
  isExecutable: () => true,
  async run(_path, environment, stdin) {
    const program = join(import.meta.dir, "fake-ipam.ts");
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, program], {
      env: { ...environment },
      stdin,
    });
    return { exitCode, stdout, stderr };
  },
};

/** The commands that the delegate logged. */
const commandsOf = (answer: Answer): string[] =>
  [...answer.stderr.matchAll(/^ipam: (\{.*\}) \d+$/gm)].map(([, seen]) => JSON.parse(seen ?? "").command);

describe("A42–A49: a delegate behaves the same in this process and as a child", () => {
  interface Case {
    readonly title: string;
    readonly command: string;
    readonly config?: object;
    /** What the delegate does. */
    readonly runs: readonly string[];
    /** Part of the error object; undefined for success. */
    readonly error?: object;
  }

  const lockHeld = { code: 11, msg: "try again later", details: "the lock is held" };
  const failing = (behaviour: string) => ({ ipam: { add: behaviour } });
  const cases: Case[] = [
    ...["0.1.0", "0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"].map(
      (cniVersion): Case => ({
        title: `a result in ${cniVersion}`,
        command: "ADD",
        config: { cniVersion },
        runs: ["ADD"],
      }),
    ),
    { title: "an empty result", command: "ADD", config: { ipam: { result: "empty" } }, runs: ["ADD"] },
    {
      title: "A45, A47: ADD fails with an error of the protocol",
      command: "ADD",
      config: failing("CNI error"),
      runs: ["ADD", "DEL"],
      error: lockHeld,
    },
    {
      title: "A47: ADD fails with another error",
      command: "ADD",
      config: failing("error"),
      runs: ["ADD", "DEL"],
      error: { code: 999, msg: 'oops "é"\n' },
    },
    {
      title: "A47: ADD throws a text",
      command: "ADD",
      config: failing("text"),
      runs: ["ADD", "DEL"],
      error: { code: 999, msg: "only text" },
    },
    {
      title: "A45: DEL after the failed ADD fails too",
      command: "ADD",
      config: { ipam: { add: "CNI error", del: "error" } },
      runs: ["ADD", "DEL"],
      error: {
        ...lockHeld,
        details: 'the lock is held; cannot undo the failed ADD of plugin "fake-ipam": oops "é"\n',
      },
    },
    ...["CHECK", "DEL", "GC", "STATUS"].flatMap((command): Case[] => [
      { title: `A34, A36, A38: ${command}`, command, runs: [command] },
      {
        title: `A34, A36, A38: ${command} fails`,
        command,
        config: { ipam: { [command.toLowerCase()]: "CNI error" } },
        runs: [command],
        error: lockHeld,
      },
    ]),
  ];

  test.each(cases)("$title", async ({ command, config, runs, error }) => {
    const environment: Environment = {
      PATH: process.env.PATH,
      ...environmentOf(command, { CNI_ARGS: "IP=1", CNI_PATH: "/a:/b", TRACEPARENT: "00-1" }),
    };
    const answers: Answer[] = [];
    for (const delegation of [inProcess, asChild]) {
      const answer = await call(front(), environment, configOf(config), { delegation });
      expect(commandsOf(answer)).toEqual([...runs]);
      expect(answer.stderr).toContain('"trace":"00-1"');
      expect(answer.exitCode).toBe(error === undefined ? 0 : 1);
      if (error !== undefined) expect(answer.error).toMatchObject(error);
      answers.push(answer);
    }
    expect(answers[1]).toEqual(answers[0] as Answer);
  });

  test("K8: DEL follows a result that the version can't express, a second DEL only for a child", async () => {
    const config = configOf({ cniVersion: "0.2.0", ipam: { result: "empty" } });
    const variables: Environment = { PATH: process.env.PATH, ...environmentOf("ADD") };
    const [own, child] = [
      await call(front(), variables, config, { delegation: inProcess }),
      await call(front(), variables, config, { delegation: asChild }),
    ];
    expect(own.error).toMatchObject({
      code: 999,
      msg: "cannot deliver the result: cannot convert: no valid IP addresses",
    });
    expect(child.error).toEqual(own.error);
    expect(commandsOf(own)).toEqual(["ADD", "DEL"]);
    // A child can't report that it has undone everything.
    expect(commandsOf(child)).toEqual(["ADD", "DEL", "DEL"]);
  });

  test("K8: the undo has its own time limit, and the details list what it could not undo", async () => {
    const notes: string[] = [];
    const config = configOf(failing("CNI error"));
    const time = notedTime(notes);
    await call(front(), environmentOf("ADD"), config, { delegation: inProcess, time });
    expect(notes).toEqual(["limit 20000", "undo", "half"]);
  });
});

/** A delegation whose child ends with these outcomes, one per call. It records the commands. */
function children(...outcomes: (ChildOutcome | Error)[]) {
  const commands: (string | undefined)[] = [];
  const delegation: Delegation = {
    ...noDelegation,
    isExecutable: () => true,
    async run(_path, environment) {
      commands.push(environment.CNI_COMMAND);
      const next = outcomes.shift();
      if (next === undefined) throw new Error("no more outcomes");
      if (next instanceof Error) throw next;
      return next;
    },
  };
  return { delegation, commands };
}

const run = (command: string, delegation: Delegation, config: object = {}) =>
  call(front(), environmentOf(command), configOf(config), { delegation });

describe("A43: the name", () => {
  const nameError = async (type: string, delegation: Delegation = inProcess) =>
    (await call(front(type), environmentOf("DEL", { CNI_PATH: "/a:/b" }), configOf(), { delegation })).error;

  test("an empty name is refused", async () => {
    expect(await nameError("")).toMatchObject({ code: 7, msg: "no plugin name provided" });
  });

  test.each(["a/b", "../host-local", "/bin/sh", "a\0b"])("%j is invalid", async (type) => {
    expect(await nameError(type)).toMatchObject({
      code: 7,
      msg: `invalid plugin name: ${JSON.stringify(type)} must be the name of a file, without a path`,
    });
  });

  test("a plugin that is not found is reported with CNI_PATH, and nothing runs", async () => {
    const error = await nameError("x", noDelegation);
    expect(error?.code).toBe(999);
    expect(error?.msg).toStartWith('failed to find plugin "x" in path [/a /b]');
  });
});

describe("A42: the executable", () => {
  /** The path that is run when these files exist. */
  async function found(cniPath: string, existing: string[]): Promise<string[]> {
    const paths: string[] = [];
    const delegation: Delegation = {
      ...noDelegation,
      isExecutable: (path) => existing.includes(path),
      async run(path) {
        paths.push(path);
        return outcome(0);
      },
    };
    await call(front("x"), environmentOf("DEL", { CNI_PATH: cniPath }), configOf(), { delegation });
    return paths;
  }

  test("is the first along CNI_PATH", async () => {
    expect(await found("/a:/b:/c", ["/b/x", "/c/x"])).toEqual(["/b/x"]);
    expect(await found("rel:/c", ["rel/x", "/c/x"])).toEqual(["rel/x"]);
  });

  test("an empty element of CNI_PATH does not mean the working directory", async () => {
    expect(await found(":/c", ["/x", "x", "./x", "/c/x"])).toEqual(["/c/x"]);
  });

  test("A42, A49: gets the whole environment with its command, and stdin unchanged", async () => {
    const calls: unknown[] = [];
    const delegation: Delegation = {
      ...noDelegation,
      isExecutable: () => true,
      async run(path, environment, stdin) {
        calls.push([path, environment, new TextDecoder().decode(stdin)]);
        return outcome(1, '{"code": 11, "msg": "no"}');
      },
    };
    const environment = environmentOf("ADD", { TRACESTATE: "a", BAGGAGE: "b", HOME: "/root" });
    const stdin = ` ${configOf({ unknown: "é" })}\n`;
    await call(front(), environment, stdin, { delegation });
    const path = "/opt/cni/bin/fake-ipam";
    expect(calls).toEqual([
      [path, environment, stdin],
      [path, { ...environment, CNI_COMMAND: "DEL" }, stdin],
    ]);
  });
});

describe("A46: stderr of the child reaches ours", () => {
  test("after success and after failure", async () => {
    const success = await run("DEL", children(outcome(0, "", "two\nlines\n")).delegation);
    expect(success).toMatchObject({ exitCode: 0, stdout: "", stderr: "two\nlines\n" });
    const failure = await run("DEL", children(outcome(1, '{"code":7,"msg":"m"}', "why")).delegation);
    expect(failure).toMatchObject({ exitCode: 1, stderr: "why\n" });
  });
});

describe("A47: a failed child", () => {
  test.each([
    ["its error", outcome(1, '{"cniVersion":"0.4.0","code":100,"msg":"m","details":"d"}'), 100, "m", "d"],
    ["its error without details", outcome(3, '\n{"code": 11, "msg": "m"}\n'), 11, "m", undefined],
    ["no code", outcome(1, '{"msg": "m"}'), 999, "m", undefined],
    ["an empty message", outcome(1, '{"code": 7, "msg": ""}'), 7, "", undefined],
  ])("%s is passed on", async (_, child, code, msg, details) => {
    const { cniVersion: __, ...error } = (await run("DEL", children(child).delegation)).error ?? {};
    expect(error).toEqual(details === undefined ? { code, msg } : { code, msg, details });
  });

  test.each([
    [outcome(2), ["netplugin failed with no error message", "exit status 2"]],
    [
      { ...outcome(1), exitCode: null, signal: "SIGKILL" },
      ["netplugin failed with no error message", "killed by SIGKILL"],
    ],
    [outcome(2, "", "it broke\n"), ['netplugin failed: "it broke"', "exit status 2"]],
    [
      outcome(2, "panic: oops", "x"),
      ['error parsing its diagnostic message "panic: oops"', "line 1, column 1"],
    ],
    [outcome(2, "{}"), ['error parsing its diagnostic message "{}"', 'key "error.msg" is missing']],
    [outcome(2, '{"code": "x", "msg": "m"}'), ['key "error.code" must be a whole number, not "x"']],
    [outcome(2, "[]"), ['key "error" must be an object']],
  ])("%#: is described", async (child, parts) => {
    const { error } = await run("DEL", children(child).delegation);
    expect(error?.code).toBe(999);
    for (const part of [...parts, '"/opt/cni/bin/fake-ipam"']) expect(error?.msg).toContain(part);
  });

  test.each([
    ["stdout", outcome(2, `${"x".repeat(4090)}\u{1F600}`.repeat(4000))],
    ["stderr", outcome(2, "", "y".repeat(60_000))],
  ])("K7: much that it says on %s is quoted from its beginning only", async (_, child) => {
    const { error } = await run("DEL", children(child).delegation);
    expect(error?.msg.length).toBeLessThan(5000);
    expect(error?.msg).toMatch(/\(the first 4096 of \d+ characters\)/);
    expect(error?.msg).toContain('"/opt/cni/bin/fake-ipam"');
  });

  test("A45, K8: DEL follows ADD; a failure of DEL is logged and added to the details", async () => {
    const { delegation, commands } = children(
      outcome(1, '{"code": 11, "msg": "first"}'),
      outcome(1, '{"code": 5, "msg": "second"}'),
    );
    const answer = await run("ADD", delegation);
    expect(commands).toEqual(["ADD", "DEL"]);
    expect(answer.error).toMatchObject({
      code: 11,
      msg: "first",
      details: 'cannot undo the failed ADD of plugin "fake-ipam": second',
    });
    expect(answer.stderr).toBe('cannot undo the failed ADD of plugin "fake-ipam": second\n');
  });
});

describe("a child that succeeds without a valid result", () => {
  test.each([
    ["", "line 1, column 1: unexpected end"],
    ["{", "line 1, column 2: unexpected end"],
    ["null", 'key "result" must be an object'],
    ['{"cniVersion": "9.0.0"}', 'key "result.cniVersion" must be one of'],
    ['{"ips": [{"address": 1}]}', 'key "result.ips[0].address" must be a string'],
  ])("%j: code 6, naming the plugin, and A45: DEL", async (stdout, problem) => {
    const { delegation, commands } = children(outcome(0, stdout), outcome(0));
    const { error } = await run("ADD", delegation);
    expect(error?.code).toBe(6);
    expect(error?.msg).toStartWith('plugin "/opt/cni/bin/fake-ipam" succeeded without a valid result: ');
    expect(error?.msg).toContain(problem);
    expect(commands).toEqual(["ADD", "DEL"]);
  });

  test("stdout of other commands does not matter", async () => {
    expect((await run("CHECK", children(outcome(0, "garbage")).delegation)).exitCode).toBe(0);
  });
});

test("A48: a result without cniVersion has the configuration's", async () => {
  const { delegation } = children(outcome(0, '{"ip4": {"ip": "10.0.0.2/24"}}'));
  const answer = await run("ADD", delegation, { cniVersion: "0.2.0" });
  expect(JSON.parse(answer.stdout).ip4).toEqual({ ip: "10.0.0.2/24" });
});

test("a child's result may be of another version", async () => {
  const { delegation } = children(outcome(0, '{"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/24"}}'));
  const answer = await run("ADD", delegation, { cniVersion: "1.0.0" });
  expect(JSON.parse(answer.stdout)).toEqual({ cniVersion: "1.0.0", ips: [{ address: "10.0.0.2/24" }] });
});

describe("a child that did not run to its end", () => {
  const PATH = '"/opt/cni/bin/fake-ipam"';

  test("K8, K26: no DEL follows if the child could not be started", async () => {
    const { delegation, commands } = children(new NotStartedError("another program is writing it", true));
    const { error } = await run("ADD", delegation);
    expect(error).toMatchObject({
      code: 11,
      msg: `cannot run plugin ${PATH}: another program is writing it`,
    });
    expect(commands).toEqual(["ADD"]);
  });

  test("K7: if it hung, the error has code 11 and its name, its stderr is logged, and DEL follows", async () => {
    const hung = new StoppedError("it had not ended after 18 s", true, bytes("dialing\n"));
    const { delegation, commands } = children(hung, outcome(0));
    const answer = await run("ADD", delegation);
    expect(answer.error).toMatchObject({
      code: 11,
      msg: `cannot run plugin ${PATH}: it had not ended after 18 s`,
    });
    expect(answer.stderr).toBe("dialing\n");
    expect(commands).toEqual(["ADD", "DEL"]);
  });

  test("K7: if it printed too much, the error names the limit and is not temporary", async () => {
    const talker = new StoppedError("it printed more than 16 MiB", false, bytes(""));
    const { error } = await run("DEL", children(talker).delegation);
    expect(error).toMatchObject({ code: 999, msg: `cannot run plugin ${PATH}: it printed more than 16 MiB` });
  });
});
