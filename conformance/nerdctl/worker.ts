/** The cases of the suite, in a scratch host with a containerd of its own. Started by suite.ts. */
import {
  keptBridge,
  keptForwarding,
  keptIptablesChains,
  keptLeaseFolder,
} from "../../test/support/leftovers.ts";
import { makeRoot } from "../busybox.ts";
import { Containerd, IMAGE } from "../containerd/daemon.ts";
import { writeImage } from "../containerd/image.ts";
import { preparePluginFolder } from "../containerd/plugin-folder.ts";
import { NERDCTL_VERSION } from "../containerd/programs.ts";
import { addOutside, clearNetwork } from "../outside.ts";
import { prepareHost, runCases, summarize, workerTask } from "../scratch-worker.ts";
import { containerCases } from "./containers.ts";
import { Nerdctl } from "./nerdctl.ts";
import { networkCases } from "./networks.ts";

const task = workerTask();
await prepareHost(task);
await preparePluginFolder(task);
const root = `${task.folder}/root`;
await makeRoot(root);
await addOutside(root);
const daemon = new Containerd(task, task.places.daemon ?? "");
await daemon.start();
const nerdctl = new Nerdctl(task, daemon);
const archive = `${task.folder}/image.tar`;
await writeImage(root, IMAGE, archive);
await nerdctl.do("load", "-i", archive);
summarize(`nerdctl ${NERDCTL_VERSION}, containerd ${await daemon.version()}`);

const mayDiffer = [
  ...keptBridge("nerdctl0"),
  ...["bridge", "blue", "red"].flatMap(keptLeaseFolder),
  ...keptForwarding,
  ...keptIptablesChains,
  // An address of routers, which the host becomes.
  /^route \{"type":"anycast",/,
  // What firewall, portmap and tuning keep.
  /^ip6?tables-nft \w+ :CNI-(ADMIN|FORWARD|HOSTPORT-|ISOLATION-)/,
  /^nft \{"(chain|rule)":.*"CNI-(ADMIN|FORWARD|HOSTPORT-|ISOLATION-)/,
  /^ip6?tables-nft \w+ -A (FORWARD|CNI-FORWARD|PREROUTING|OUTPUT|POSTROUTING) .*-j CNI-(ADMIN|FORWARD|HOSTPORT|ISOLATION)/,
  /^ip6?tables-nft \w+ -A CNI-(HOSTPORT|ISOLATION)-/,
  // tuning forgets the address that it has replaced only when DEL comes with a namespace.
  /^file \/run\/cni\/(tuning\/\S*)? /,
  // The folders that libcni and containerd keep.
  /^file \/var\/lib\/cni\/results\/ /,
  /^file \/run\/(containerd|nri)\//,
];
const cases = [...containerCases(nerdctl), ...networkCases(nerdctl)];
await runCases(cases, task, mayDiffer, async () => {
  await nerdctl.removeAll();
  await clearNetwork();
});
await daemon.stop("SIGTERM");
process.exit(0);
