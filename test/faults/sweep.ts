/** Sweeps: each point of each scenario is disturbed, on several lanes, until the cases or the time are at an end. */
import { join } from "node:path";
import { askInLanes, Lane } from "../support/lane.ts";
import type { Answer, DisturbedCommand, Job } from "./job.ts";
import { type FaultContext, randomFrom } from "./part.ts";
import type { Point } from "./point.ts";
import { SCENARIOS } from "./scenario.ts";

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

export type Done = { readonly job: Job; readonly answer: Answer };

const workerOf = ({ binaries, side }: Side) => ({
  script: join(import.meta.dir, "worker.ts"),
  args: [binaries, side],
  visible: [binaries],
});

/**
 * Sweeps one side: `roundsOf` makes the cases of what was recorded in clean runs, round by round, of which those are
 * tried whose words contain `only`. All cases of a round come before any of the next; `share` is of the part's time.
 * @throws Error when a scenario can't be recorded.
 */
export async function sweep(
  side: Side,
  context: FaultContext,
  roundsOf: (recorded: readonly Recorded[]) => readonly (readonly Job[])[],
  share = 1,
): Promise<{ done: Done[]; recorded: Recorded[]; planned: number; summary: string }> {
  const deadline = context.until(share);
  const recorded = await recordAll(side, context.only);
  const rounds = roundsOf(recorded).map((jobs) => jobs.filter((job) => describe(job).includes(context.only)));
  const chunks = rounds.flatMap((round) => shuffled(round, context.seed));
  const done: Done[] = await askInLanes<Job, Answer>(workerOf(side), chunks, { lanes: LANES, deadline });
  const planned = rounds.flat().length;
  const left = planned - done.length;
  const summary = `${done.length} of ${planned} cases tried${left > 0 ? ` (no time for ${left})` : ""}`;
  return { done, recorded, planned, summary };
}

/** Scenarios whose names end so. The reference is only compared with bridge: of a chain it leaves much (docs/faults.md). */
const scenariosOf = ({ side }: Side, ending: string) =>
  SCENARIOS.filter(({ name, chain }) => name.endsWith(ending) && (side === "ours" || chain.length === 1));

/** The points of all scenarios that cases called `only` can be of. */
async function recordAll(side: Side, only: string): Promise<Recorded[]> {
  const { script, args, visible } = workerOf(side);
  using lane = new Lane<Answer>(script, args, visible);
  const recorded: Recorded[] = [];
  const [scenario = "", rest] = only.split(": ");
  for (const { name } of scenariosOf(side, rest === undefined ? "" : scenario)) {
    for (const command of ["ADD", "DEL"] as const) {
      const job: Job = { kind: "record", scenario: name, command };
      const { points, problems } = await lane.ask(JSON.stringify(job));
      if (points === undefined || problems.length > 0)
        throw new Error(`cannot trace ${command} of "${name}" (${side.side}): ${problems[0]?.text}`);
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
function shuffled(jobs: readonly Job[], seed: number): Job[][] {
  const random = randomFrom(seed);
  const shuffle = <T>(list: readonly T[]): T[] =>
    list
      .map((item) => ({ item, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  const chunks: Job[][] = [];
  for (const { name } of SCENARIOS) {
    const own = shuffle(jobs.filter(({ scenario }) => scenario === name));
    for (let start = 0; start < own.length; start += CHUNK) chunks.push(own.slice(start, start + CHUNK));
  }
  return shuffle(chunks);
}

/** "2 of that, 5 of this": how often each word came. */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([word, count]) => `${count} ${word}`).join(", ");
}

/** How the disturbed calls ended. */
export const ends = (done: readonly Done[]): string =>
  tally(done.map(({ answer }) => answer.end ?? "trouble"));

/** A case in words that name all there is to choose. */
function describe(job: Job): string {
  if (job.kind === "record") return `${job.scenario}: trace of ${job.command}`;
  const { scenario, command, point } = job;
  const fault = job.kind === "kill" ? "killed at" : `${job.errno} from`;
  const after =
    job.kind === "kill" && job.aftermath !== "present" ? `, then the namespace is ${job.aftermath}` : "";
  const { plugin = "bridge", child, call, when } = point;
  const who = child === undefined ? plugin : plugin === "bridge" ? child : `${child} of ${plugin}`;
  return `${scenario}: ${command}, ${who} ${fault} ${call} ${when}${after}`;
}
