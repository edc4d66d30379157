/** The cases of the suite, in a scratch host with a containerd of its own. Started by suite.ts. */
import {
  keptBridge,
  keptForwarding,
  keptIptablesChains,
  keptLeaseFolder,
} from "../../test/support/leftovers.ts";
import { makeRoot } from "../busybox.ts";
import { addOutside, clearNetwork } from "../outside.ts";
import { prepareHost, runCases, summarize, workerTask } from "../scratch-worker.ts";
import { ctrCases } from "./cases/ctr.ts";
import { interruptedCases } from "./cases/interrupted.ts";
import { podCases } from "./cases/pods.ts";
import { statusCases } from "./cases/status.ts";
import { Cri } from "./cri.ts";
import { Containerd, IMAGE } from "./daemon.ts";
import { writeImage } from "./image.ts";
import { configure, NETWORK } from "./network.ts";
import { preparePluginFolder } from "./plugin-folder.ts";
import type { Stage } from "./stage.ts";

const task = workerTask();
await prepareHost(task);
await preparePluginFolder(task);
const root = `${task.folder}/root`;
await makeRoot(root);
await addOutside(root);
configure("1.0.0");
const daemon = new Containerd(task, task.places.daemon ?? "");
await daemon.start();
const archive = `${task.folder}/image.tar`;
await writeImage(root, IMAGE, archive);
await daemon.ctr(["--namespace", "k8s.io", "images", "import", archive]);
const cri = new Cri(task, daemon);
await cri.ready();
const version = await daemon.version();
const stage: Stage = { task, daemon, cri, root, version };
summarize((await cri.version()).split("\n").join(", "));

const mayDiffer = [
  ...keptBridge("cni0"),
  ...keptLeaseFolder(NETWORK),
  ...keptForwarding,
  ...keptIptablesChains,
  // An address of routers, which the host becomes.
  /^route \{"type":"anycast",/,
  // What portmap keeps.
  /^ip6?tables-nft nat :CNI-HOSTPORT-/,
  /^nft \{"(chain|rule)":.*"CNI-HOSTPORT-/,
  /^ip6?tables-nft nat -A ((PREROUTING|OUTPUT|POSTROUTING) .*-j )?CNI-HOSTPORT-/,
  // The folders that libcni and containerd keep.
  /^file \/var\/lib\/cni\/results\/ /,
  /^file \/run\/(containerd|nri)\//,
];
const cases = [...ctrCases(stage), ...podCases(stage), ...interruptedCases(stage), ...statusCases(stage)];
await runCases(
  cases.map((one) => ({ ...one, name: `${version}: ${one.name}` })),
  task,
  mayDiffer,
  async () => {
    await cri.removeAll();
    await daemon.removeAll();
    await clearNetwork();
  },
);
await daemon.stop("SIGTERM");
process.exit(0);
