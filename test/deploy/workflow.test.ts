/** R6: the public CI runs what the repository has, and nothing that can change behind its back. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { scripts } from "../../package.json";
import { outcomeOf } from "../support/command.ts";
import { PROJECT } from "../support/test-files.ts";

interface Job {
  readonly needs?: string;
  readonly if?: string;
  readonly permissions?: object;
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
}
interface Workflow {
  readonly permissions: object;
  readonly jobs: Readonly<Record<"gates" | "build" | "publish", Job>>;
}

const text = readFileSync(join(PROJECT, ".github/workflows/ci.yml"), "utf8");
const { permissions, jobs } = Bun.YAML.parse(text) as Workflow;

test("R6: the gates come before the release, which only a tag makes, and only publishing may write", () => {
  expect([jobs.gates.if, jobs.gates.needs]).toEqual([undefined, undefined]);
  expect([jobs.build.if, jobs.build.needs]).toEqual(["startsWith(github.ref, 'refs/tags/v')", "gates"]);
  expect(jobs.publish.needs).toBe("build");
  const writing = Object.values(jobs).filter((job) => job.permissions !== undefined);
  expect([permissions, writing]).toEqual([{ contents: "read" }, [jobs.publish]]);
});

test("R6: each script exists, and each action is pinned to a commit", () => {
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const run = steps.flatMap((step) =>
    [...(step.run ?? "").matchAll(/bash (\S+)/g)].map(([, script = ""]) => script),
  );
  expect(run).toEqual([".ci/run", ".ci/release"]);
  for (const script of run) expect(existsSync(join(PROJECT, script))).toBe(true);
  expect(readFileSync(join(PROJECT, ".ci/release"), "utf8")).toContain("\nnpm run release\n");
  expect(scripts.release).toBe("bun build.ts --release");
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  expect(actions.length).toBeGreaterThan(0);
  for (const action of actions) expect(action).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40}$/);
});

test("R6: a tag that is not the version's is refused, before anything is installed", async () => {
  const { exitCode, stderr } = await outcomeOf(["bash", ".ci/release", "v0.0.1"], { cwd: PROJECT });
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("the tag is v0.0.1, but package.json has")]);
});
