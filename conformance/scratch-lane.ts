/** A lane of scratch-lanes.ts. */
import { withScratchHost } from "../test/support/scratch-host.ts";
import { Judge } from "./judge.ts";
import { serveCases } from "./lanes.ts";
import type { Programs, ScratchCase } from "./scratch-lanes.ts";

const [path = "", folders = "{}"] = process.argv.slice(2);
const programs = JSON.parse(folders) as Programs;

await serveCases<ScratchCase>(path, async ({ run, keeps }) => {
  const judge = new Judge();
  try {
    await withScratchHost((host) => run({ host, judge, programs }), { mayKeep: keeps });
  } catch (error) {
    judge.broken(error);
  }
  return judge.findings;
});
