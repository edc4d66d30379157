/** The walk-through, act by act. */
import { mkdirSync } from "node:fs";
import { dirname, relative } from "node:path";
import { hostState } from "../test/support/host-state.ts";
import { attachFirst, attachSecond } from "./attach.ts";
import { detachBoth, expectNothingLeft } from "./detach.ts";
import { raiseInternet } from "./outside.ts";
import { CONFIGURATION, NOTES } from "./scene.ts";
import type { Stage } from "./stage.ts";
import { sendTraffic } from "./traffic.ts";
import { checkSecond } from "./verify.ts";

/** Returns whether all checks passed. `binaries` is the folder of the plugins. */
export async function walkThrough(stage: Stage, binaries: string): Promise<boolean> {
  let good = false;
  try {
    await play(stage, binaries);
    good = true;
  } catch (error) {
    stage.failed(error);
  }
  stage.close(good);
  return good;
}

async function play(stage: Stage, binaries: string): Promise<void> {
  mkdirSync(NOTES);
  const project = dirname(import.meta.dir);
  const config = binaries.startsWith(`${project}/`) ? relative(binaries, CONFIGURATION) : CONFIGURATION;
  const current = `${NOTES}/mynet-1.0.0.conf`;

  stage.say(
    "The walk-through of Bridgehead, on a scratch host that has a network, mounts and processes of its own:",
  );
  stage.say("it does not touch this machine, and it leaves nothing behind.");
  await raiseInternet(stage);
  const before = await hostState();
  stage.enter(binaries, binaries.startsWith(`${project}/`) ? relative(project, binaries) : binaries);
  await attachFirst(stage, config);
  await attachSecond(stage, config, current);
  await sendTraffic(stage);
  await checkSecond(stage, current);
  await detachBoth(stage, config, current);
  await expectNothingLeft(stage, before);
}
