/** The cases of the suite, in a scratch host with a containerd of its own. Started by suite.ts. */
import { keptBridge, keptLeaseFolder } from "../../test/support/leftovers.ts";
import { KEPT_BY_CHAINS, openStage, runCases, summarize } from "../scratch-worker.ts";
import { ctrCases } from "./cases/ctr.ts";
import { interruptedCases } from "./cases/interrupted.ts";
import { podCases } from "./cases/pods.ts";
import { statusCases } from "./cases/status.ts";
import { type ContainerdStage, Cri } from "./cri.ts";
import { Containerd } from "./daemon.ts";
import { configure, NETWORK } from "./network.ts";
import { preparePluginFolder } from "./plugin-folder.ts";

const { task, root } = await openStage();
await preparePluginFolder(task);
configure("1.0.0");
const daemon = new Containerd(task, root);
await daemon.start();
await daemon.ctr(["--namespace", "k8s.io", "images", "import", await daemon.imageArchive()]);
const cri = new Cri(task, daemon);
await cri.ready();
const version = await daemon.version();
const stage: ContainerdStage = { task, daemon, cri, root, version };
summarize((await cri.version()).split("\n").join(", "));

const cases = {
  ...ctrCases(stage),
  ...podCases(stage),
  ...interruptedCases(stage),
  ...statusCases(stage),
};
await runCases(
  Object.fromEntries(Object.entries(cases).map(([name, run]) => [`${version}: ${name}`, run])),
  task,
  {
    mayDiffer: [...keptBridge("cni0"), ...keptLeaseFolder(NETWORK), ...KEPT_BY_CHAINS],
    rescue: async () => {
      await cri.removeAll();
      await daemon.removeAll();
    },
  },
  () => daemon.stop("SIGTERM"),
);
