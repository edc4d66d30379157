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

  async time(programs: readonly Program[]): Promise<Batch> {
    this.#journal.push(`${this.#name} ${programs.map(({ argv }) => argv.join(" ")).join("+")}`);
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
  await measure([contender("compact", journal, steps), contender("reference", journal, steps)], 2, 0);
  // Three rounds to warm up, two that count.
  expect(journal).toHaveLength(20);
  expect(journal.slice(-8)).toEqual([
    ...["compact ADD", "reference ADD", "compact DEL", "reference DEL"],
    ...["reference ADD", "compact ADD", "reference DEL", "compact DEL"],
  ]);
});

test("warming up is not in the figures, and descendants that were orphaned are", async () => {
  const two = step("ADD", { programs: () => [{ argv: ["a"] }, { argv: ["b"] }] });
  const series = await measure([contender("compact", [], [two, step("DEL", { untimed: true })])], 2, 0);
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
  await measure([contender("compact", journal, [add, check])], 1, 1);
  expect(journal.slice(-4)).toEqual([
    ...["compact ADD", "compact CHECK compact7", "compact census of ADD", "compact census of CHECK traced"],
  ]);
});

test("counts are medians, peaks the largest, and of single programs only", async () => {
  const journal: string[] = [];
  const both = step("both", { programs: () => [{ argv: ["a"] }, { argv: ["b"] }] });
  const series = await measure([contender("compact", journal, [step("ADD"), both])], 1, 3);
  // Four rounds of two calls went before: the traced calls are number 9, 11 and 13.
  expect(series.map(({ census }) => census)).toEqual([
    { syscalls: 11, programs: 2, threads: 3, peak: 13, own: 4 },
    undefined,
  ]);
  expect(journal.filter((line) => line.includes("census of a"))).toEqual([]);
});
