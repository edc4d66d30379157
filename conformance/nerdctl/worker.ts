/** The cases of the suite, in a scratch host with a containerd of its own. Started by suite.ts. */
import { keptBridge, keptLeaseFolder } from "../../test/support/leftovers.ts";
import { networkOf } from "../../test/support/runtimes-page.ts";
import { Containerd } from "../containerd/daemon.ts";
import { preparePluginFolder } from "../containerd/plugin-folder.ts";
import { NERDCTL_VERSION } from "../containerd/programs.ts";
import { KEPT_BY_CHAINS, openStage, runCases, summarize } from "../scratch-worker.ts";
import { containerCases } from "./containers.ts";
import { Nerdctl } from "./nerdctl.ts";
import { networkCases } from "./networks.ts";

const { task, root } = await openStage();
await preparePluginFolder(task);
const daemon = new Containerd(task, root);
await daemon.start();
const nerdctl = new Nerdctl(task, daemon);
await nerdctl.do("load", "-i", await daemon.imageArchive());
summarize(`nerdctl ${NERDCTL_VERSION}, containerd ${await daemon.version()}`);

const mayDiffer = [
  ...keptBridge("nerdctl0"),
  ...["bridge", "blue", "red", networkOf("nerdctl").name].flatMap(keptLeaseFolder),
  ...KEPT_BY_CHAINS,
];
await runCases(
  { ...containerCases(nerdctl), ...networkCases(nerdctl) },
  task,
  { mayDiffer, rescue: () => nerdctl.removeAll() },
  () => daemon.stop("SIGTERM"),
);
