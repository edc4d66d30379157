/** K15: a delegate that is older than STATUS and GC has not failed. Any other failure counts. */
import { describe, expect, test } from "bun:test";
import { delegateCheck, delegateDel, delegateGc, delegateStatus } from "../../src/cni/delegate.ts";
import type { ChildOutcome } from "../../src/cni/plugin.ts";
import {
  type Answer,
  call,
  configOf,
  environmentOf,
  FakePlugin,
  noDelegation,
  outcome,
} from "./fake-host.ts";

const front = new FakePlugin({
  check: (request) => delegateCheck(request, "old-ipam"),
  del: (request) => delegateDel(request, "old-ipam"),
  gc: (request) => delegateGc(request, "old-ipam"),
  status: (request) => delegateStatus(request, "old-ipam"),
});

const versions = (...supportedVersions: string[]) =>
  outcome(0, JSON.stringify({ cniVersion: supportedVersions.at(-1), supportedVersions }));
const OLD = versions("0.3.1", "0.4.0", "1.0.0");
const NEW = versions("1.0.0", "1.1.0");

/** Calls a plugin whose delegate gives these answers to the command and to VERSION. */
async function answerTo(
  command: string,
  answer: ChildOutcome,
  version: ChildOutcome = NEW,
): Promise<Answer & { asked: string[] }> {
  const asked: string[] = [];
  const delegation = {
    ...noDelegation,
    isExecutable: () => true,
    run: async (_path: string, environment: Readonly<Record<string, string | undefined>>) => {
      asked.push(environment.CNI_COMMAND ?? "");
      return environment.CNI_COMMAND === "VERSION" ? version : answer;
    },
  };
  return { ...(await call(front, environmentOf(command), configOf(), { delegation })), asked };
}

const error = (code: number, msg: string, details?: string) =>
  outcome(1, JSON.stringify({ code, msg, details }));

/** C stands for the command. */
const UNKNOWN: readonly [what: string, outcome: (command: string) => ChildOutcome][] = [
  ["skel since 0.8", (c) => error(4, `unknown CNI_COMMAND: ${c}`)],
  ["skel before 0.8", (c) => error(100, `unknown CNI_COMMAND: ${c}`)],
  ["a version without the command", (c) => error(1, `config version does not allow ${c}`)],
  ["a plugin without the command", (c) => error(1, `plugin version does not allow ${c}`)],
  ["details only", (c) => error(4, "invalid environment", `unsupported command: ${c}`)],
  ["other words", (c) => error(999, `CNI command ${c} is not supported`)],
  ["a script's stderr", (c) => outcome(1, "", `Unknown cni command: ${c}\n`)],
  ["a script's stderr without the name", () => outcome(1, "", "unknown CNI_COMMAND")],
  ["a script's stdout", (c) => outcome(2, `${c} not implemented\n`)],
  ["quotes", (c) => outcome(3, "", `my-ipam: unrecognized command "${c}"`)],
  ["a sentence", (c) => error(4, `this plugin does not implement ${c}`)],
];

const MISSES = "what it misses of ADD";

/** Answers of scripts for ADD and DEL alone, in other words than the known ones. */
const REFUSALS: readonly [what: string, outcome: (command: string) => ChildOutcome][] = [
  ["a word with a slip", (c) => outcome(1, `Unknown cni commandn: ${c}\n`)],
  ["no such", (c) => outcome(2, "", `no such command: ${c}`)],
  ["small letters", (c) => outcome(1, "", `${c.toLowerCase()}: what is that?`)],
  ["a stack", (c) => outcome(1, "", `Traceback (most recent call last):\nKeyError: '${c}'`)],
];

/** Answers that do not say that the command is unknown. The delegate's VERSION shows that it is older. */
const OF_OLD: readonly [what: string, outcome: ChildOutcome][] = [
  ["nothing at all", outcome(1)],
  ["an exit code of its own", outcome(4)],
  [MISSES, error(4, "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing")],
  ["usage", outcome(64, "", "usage: CNI_COMMAND=ADD|DEL my-ipam")],
];

const FAILURES: readonly [what: string, outcome: ChildOutcome][] = [
  ["not ready", error(50, "the pool is away")],
  ["not ready, and more", error(51, "unknown command")],
  ["try again later", error(11, "the lock is held")],
  ["a wrong configuration", error(7, "ipam.pool is missing")],
  ["its configuration's version", error(1, "incompatible CNI versions", 'config is "1.1.0"')],
  ["something unknown", error(999, "pool: status unknown")],
  ["a command of its own that fails", outcome(1, "", "invalid command line option")],
  ["nothing at all", outcome(1)],
  ["killed", { ...outcome(1), exitCode: null, signal: "SIGKILL" }],
  ["not found inside", outcome(127, "", "jq: not found")],
];

describe.each(["STATUS", "GC"])("K15: %s of a delegate", (command) => {
  test.each([...UNKNOWN])(
    "that does not know it does not fail, and is logged once: %s",
    async (_, outcomeOf) => {
      const answer = await answerTo(command, outcomeOf(command));
      expect([answer.exitCode, answer.stdout]).toEqual([0, ""]);
      const words = `plugin "old-ipam" does not know the command ${command}`;
      expect(answer.stderr.split(words)).toHaveLength(2);
      expect(answer.asked).toEqual([command]);
    },
  );

  test.each([...OF_OLD])("that is older does not fail, whatever it answers: %s", async (_, answered) => {
    const answer = await answerTo(command, answered, OLD);
    expect([answer.exitCode, answer.stdout]).toEqual([0, ""]);
    expect(answer.asked).toEqual([command, "VERSION"]);
    expect((await answerTo(command, answered, NEW)).exitCode).toBe(1);
  });

  test.each([outcome(1), outcome(0, "1.0.0"), outcome(0, "{}")])(
    "that does not answer VERSION does not fail when its error is about the environment: %p",
    async (version) => {
      for (const [what, answered] of OF_OLD) {
        const { exitCode } = await answerTo(command, answered, version);
        expect([what, exitCode]).toEqual([what, what === MISSES ? 0 : 1]);
      }
    },
  );

  test.each([...REFUSALS])("that refuses VERSION in the same words does not fail: %s", async (_, refusal) => {
    const answer = await answerTo(command, refusal(command), refusal("VERSION"));
    expect([answer.exitCode, answer.stdout]).toEqual([0, ""]);
    expect(answer.stderr).toContain(`plugin "old-ipam" does not know the command ${command}`);
    // The first delegate knows VERSION; the second gives the same error to each command.
    expect((await answerTo(command, refusal(command), NEW)).exitCode).toBe(1);
    expect((await answerTo(command, refusal("pool"), refusal("pool"))).exitCode).toBe(1);
    expect((await answerTo(command, refusal(command), outcome(1))).exitCode).toBe(1);
  });

  test.each([...FAILURES])("that fails for another reason fails: %s", async (_, answered) => {
    expect((await answerTo(command, answered)).exitCode).toBe(1);
  });

  test.each([...FAILURES.slice(0, 3), ...FAILURES.slice(4, 5), ...FAILURES.slice(8, 9)])(
    "that is older and fails for another reason fails: %s",
    async (_, answered) => {
      expect((await answerTo(command, answered, OLD)).exitCode).toBe(1);
    },
  );
});

test.each(["CHECK", "DEL"])(
  "K15: %s is in every version: a delegate that does not know it fails",
  async (command) => {
    const answer = await answerTo(command, error(4, `unknown CNI_COMMAND: ${command}`), OLD);
    expect(answer.error).toMatchObject({ code: 4, msg: `unknown CNI_COMMAND: ${command}` });
    expect(answer.asked).toEqual([command]);
  },
);
