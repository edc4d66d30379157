/** The cases of the suite, in a scratch host with a Docker daemon of its own. Started by suite.ts. */
import { outputOf } from "../../test/support/command.ts";
import { keptBridge, keptLeaseFolder } from "../../test/support/leftovers.ts";
import { KEPT_BY_CHAINS, openStage, runCases, summarize } from "../scratch-worker.ts";
import { containerCases } from "./containers.ts";
import { Docker } from "./daemon.ts";
import { namespaceCases } from "./namespaces.ts";
import { Scripts } from "./scripts.ts";
import { walkThroughCases } from "./walk-through.ts";

const { task, root } = await openStage();
const docker = await Docker.start(task);
const scripts = new Scripts(task, docker.environment);
await docker.importImage(root, "busybox:latest");
summarize(`Docker ${await docker.version()}, ${(await outputOf("uname -sr")).trim()}`);

const mayDiffer = [
  ...["cni0", "cni_bridge0"].flatMap(keptBridge),
  ...["mybridge", "mynet"].flatMap(keptLeaseFolder),
  ...KEPT_BY_CHAINS,
];
await runCases(
  { ...walkThroughCases(task), ...namespaceCases(scripts, task), ...containerCases(scripts, docker) },
  task,
  { mayDiffer, rescue: () => docker.removeAll() },
  () => docker.stop(),
);
