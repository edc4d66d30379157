import { expect, test } from "bun:test";
import type { Contender, Step } from "../../bench/case.ts";
import type { Batch, Census, Program, Run } from "../../bench/host.ts";
import { measure } from "../../bench/measure.ts";

const run = (more: Partial<Run> = {}): Run => ({
  ...{ exit: 0, wall: 1e6, cpu: 2e6, maxrss: 10, stdout: "", stderr: "" },
  ...more,
});

/** A host that writes down what it is asked for, and answers with growing times. */
class FakeHost {
  readonly #name: string;
  readonly #journal: string[];
  #calls = 0;

  constructor(name: string, journal: string[]) {
    this.#name = name;
    this.#journal = journal;
  }

  async time(programs: readonly Program[], pause?: number): Promise<Batch> {
    const what = programs.map(({ argv }) => argv.join(" ")).join("+");
    this.#journal.push(`${this.#name} ${what}${pause === 0 ? " without a pause" : ""}`);
    const number = ++this.#calls;
    const calls = programs.map((_, index) => run({ maxrss: 10 + index, stdout: `${this.#name}${number}` }));
    return { wall: number * 1e6, orphans: 1, orphansCpu: 5e5, left: false, calls };
  }

  async census({ argv }: Program): Promise<Census> {
    this.#journal.push(`${this.#name} census of ${argv.join(" ")}`);
    const syscalls = ++this.#calls;
    return {
      exit: 0,
      syscalls,
      programs: 2,
      threads: 3,
      peak: syscalls,
      own: 4,
      stdout: "traced",
      stderr: "",
    };
  }
}

const step = (name: string, more: Partial<Step> = {}): Step => ({
  name,
  programs: () => [{ argv: [name] }],
  ...more,
});

const contender = (side: "compact" | "reference", journal: string[], steps: readonly Step[]): Contender => ({
  ...{ side, variant: "", host: new FakeHost(side, journal), steps },
});

test("sides take turns step by step, and who began a round ends the next one", async () => {
  const journal: string[] = [];
  const steps = [step("ADD"), step("DEL")];
  await measure([contender("compact", journal, steps), contender("reference", journal, steps)], {
    rounds: 2,
    censuses: 0,
  });
  // Three rounds to warm up, two that count.
  expect(journal).toHaveLength(20);
  expect(journal.slice(-8)).toEqual([
    ...["compact ADD", "reference ADD", "compact DEL", "reference DEL"],
    ...["reference ADD", "compact ADD", "reference DEL", "compact DEL"],
  ]);
});

test("warming up is not in the figures, and descendants that were orphaned are", async () => {
  const two = step("ADD", { programs: () => [{ argv: ["a"] }, { argv: ["b"] }] });
  const series = await measure([contender("compact", [], [two, step("DEL", { untimed: true })])], {
    rounds: 2,
    censuses: 0,
  });
  expect(series).toEqual([
    {
      ...{ side: "compact", variant: "", step: "ADD", parallel: 2 },
      // Calls 1, 3 and 5 warmed up; each DEL between them is a call as well.
      ...{ wall: [7, 9], cpu: [4.5, 4.5], maxrss: [11, 11] },
    },
  ]);
});

test("a step sees what the one before it has printed, also when it is traced", async () => {
  const journal: string[] = [];
  const add = step("ADD", {
    keep: ([output = ""], memory) => {
      memory.result = output;
    },
  });
  const check = step("CHECK", { programs: ({ result }) => [{ argv: ["CHECK", result] }] });
  await measure([contender("compact", journal, [add, check])], { rounds: 1, censuses: 1 });
  expect(journal.slice(-4)).toEqual([
    ...["compact ADD", "compact CHECK compact7", "compact census of ADD", "compact census of CHECK traced"],
  ]);
});

test("counts are medians, peaks the largest, and of single programs only", async () => {
  const journal: string[] = [];
  const both = step("both", { programs: () => [{ argv: ["a"] }, { argv: ["b"] }] });
  const series = await measure([contender("compact", journal, [step("ADD"), both])], {
    rounds: 1,
    censuses: 3,
  });
  // Four rounds of two calls went before: the traced calls are number 9, 11 and 13.
  expect(series.map(({ census }) => census)).toEqual([
    { syscalls: 11, programs: 2, threads: 3, peak: 13, own: 4 },
    undefined,
  ]);
  expect(journal.filter((line) => line.includes("census of a"))).toEqual([]);
});

/** A chain of two plugins, each of which sees what the one before it has printed. */
const chained = (): Step => {
  const keep: Step["keep"] = ([output = ""], memory) => {
    memory.result = output;
  };
  const second = { programs: ({ result }: { result: string }) => [{ argv: ["second", result] }], keep };
  return step("first", { keep, more: [second] });
};

test("the parts of a step follow one another, and its figures are their sums", async () => {
  const journal: string[] = [];
  const series = await measure([contender("compact", journal, [chained()])], { rounds: 2, censuses: 0 });
  expect(journal.slice(-2)).toEqual(["compact first", "compact second compact9 without a pause"]);
  // Calls 7 and 8, then 9 and 10; each takes half a millisecond more in descendants that were orphaned.
  expect(series).toEqual([
    {
      ...{ side: "compact", variant: "", step: "first", parallel: 1 },
      ...{ wall: [15, 19], cpu: [5, 5], maxrss: [10, 10] },
    },
  ]);
});

test("the counts of a chain are the sums of its plugins, of memory the largest", async () => {
  const journal: string[] = [];
  const series = await measure([contender("compact", journal, [chained()])], { rounds: 1, censuses: 1 });
  expect(journal.slice(-2)).toEqual(["compact census of first", "compact census of second traced"]);
  // Four rounds of two calls went before: the traced calls are number 9 and 10.
  expect(series.map(({ census }) => census)).toEqual([
    { syscalls: 19, programs: 4, threads: 6, peak: 10, own: 4 },
  ]);
});

test("a case whose time is over, or whose bounds are narrow, has fewer rounds", async () => {
  const taken = async (times: readonly number[], until?: number): Promise<number | undefined> => {
    let calls = 0;
    const host = {
      time: async (): Promise<Batch> => {
        const wall = times[calls++ % times.length] ?? 0;
        return { wall, orphans: 0, orphansCpu: 0, left: false, calls: [run()] };
      },
      census: async (): Promise<Census> => {
        throw new Error("not asked for");
      },
    };
    const both = (["compact", "reference"] as const).map((side) => ({
      ...{ side, variant: "", host, steps: [step("ADD")] },
    }));
    const extent = { rounds: 40, censuses: 0, ...(until === undefined ? {} : { until }) };
    return (await measure(both, extent))[0]?.wall.length;
  };
  const spread = [1, 9, 3, 7, 8, 2, 5];
  expect(await taken([5], performance.now() + 1e6)).toBe(20);
  expect(await taken(spread, performance.now() + 1e6)).toBe(40);
  expect(await taken(spread, performance.now() - 1)).toBe(5);
  expect(await taken([5])).toBe(40);
});
