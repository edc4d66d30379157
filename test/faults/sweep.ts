/** Runs the cases of a sweep on several lanes, until they or the time are at an end. */
import { join } from "node:path";
import { Lane } from "../support/lane.ts";
import type { Answer, DisturbedCommand, Job } from "./job.ts";
import { randomFrom } from "./part.ts";
import type { Point } from "./point.ts";
import { SCENARIOS } from "./scenario.ts";

const WORKER = join(import.meta.dir, "worker.ts");

const COMMANDS: readonly DisturbedCommand[] = ["ADD", "DEL"];

/** A plugin waits for the kernel for a good part of its time. */
const LANES = navigator.hardwareConcurrency + 1;

/** Cases that run on one scene after the other, so that it need not be made anew. */
const CHUNK = 12;

export interface Recorded {
  readonly scenario: string;
  readonly command: DisturbedCommand;
  readonly points: readonly Point[];
}

export interface Side {
  readonly binaries: string;
  readonly side: "ours" | "reference";
}

const ask = (lane: Lane<Answer>, job: Job): Promise<Answer> => lane.ask(JSON.stringify(job));

export type Done = { readonly job: Job; readonly answer: Answer };

/**
 * The points of all scenarios that cases called `only` can be of, from clean runs.
 * @throws Error when one can't be recorded.
 */
export async function recordAll({ binaries, side }: Side, only: string): Promise<Recorded[]> {
  using lane = new Lane<Answer>(WORKER, [binaries, side], [binaries]);
  const recorded: Recorded[] = [];
  const [scenario = "", rest] = only.split(": ");
  for (const { name } of SCENARIOS.filter((one) => rest === undefined || one.name.endsWith(scenario))) {
    for (const command of COMMANDS) {
      const { points, problems } = await ask(lane, { kind: "record", scenario: name, command });
      const [problem] = problems;
      if (points === undefined || problem !== undefined) {
        throw new Error(`cannot trace ${command} of "${name}" (${side}): ${problem?.text}`);
      }
      recorded.push({ scenario: name, command, points });
    }
  }
  return recorded;
}

/** What was found, one entry for each case that did not go as it must. */
export const findings = (done: readonly Done[]): string[] =>
  done.flatMap(({ job, answer }) => {
    if (answer.problems.length === 0) return [];
    const problems = answer.problems.map(({ what, text }) => `    ${what}: ${text}`);
    return [`${describe(job)}: ${answer.hit ?? "not hit"}`, ...problems].join("\n");
  });

/** All of `jobs` in an order that follows from the seed, in chunks of one scenario: a cut leaves out some of each. */
export function shuffled(jobs: readonly Job[], seed: number): Job[][] {
  const random = randomFrom(seed);
  const shuffle = <T>(list: T[]): T[] => {
    for (let left = list.length - 1; left > 0; left--) {
      const other = Math.floor(random() * (left + 1));
      const [a, b] = [list[left], list[other]];
      if (a !== undefined && b !== undefined) [list[left], list[other]] = [b, a];
    }
    return list;
  };
  const chunks: Job[][] = [];
  for (const { name } of SCENARIOS) {
    const own = shuffle(jobs.filter(({ scenario }) => scenario === name));
    for (let start = 0; start < own.length; start += CHUNK) chunks.push(own.slice(start, start + CHUNK));
  }
  return shuffle(chunks);
}

/** Runs chunks until they are done or `deadline` (of performance.now()) has passed. */
export async function sweep(
  { binaries, side }: Side,
  chunks: readonly (readonly Job[])[],
  deadline: number,
): Promise<Done[]> {
  const left = [...chunks];
  const done: Done[] = [];
  const run = async () => {
    using lane = new Lane<Answer>(WORKER, [binaries, side], [binaries]);
    for (let chunk = left.shift(); chunk !== undefined; chunk = left.shift()) {
      for (const job of chunk) {
        if (performance.now() > deadline) return;
        done.push({ job, answer: await ask(lane, job) });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, run));
  return done;
}

/** "2 of that, 5 of this": how often each word came. */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`)
    .join(", ");
}

/** A case in words that name all there is to choose. */
export function describe(job: Job): string {
  if (job.kind === "record") return `${job.scenario}: trace of ${job.command}`;
  const { scenario, command, point } = job;
  const fault = job.kind === "kill" ? "killed at" : `${job.errno} from`;
  const after =
    job.kind === "kill" && job.aftermath !== "present" ? `, then the namespace is ${job.aftermath}` : "";
  return `${scenario}: ${command}, ${point.child ?? "bridge"} ${fault} ${point.call} ${point.when}${after}`;
}
