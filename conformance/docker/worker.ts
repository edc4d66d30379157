/** The cases of the suite, in a scratch host with a Docker daemon of its own. Started by suite.ts. */
import { outputOf } from "../../test/support/command.ts";
import {
  keptBridge,
  keptForwarding,
  keptIptablesChains,
  keptLeaseFolder,
} from "../../test/support/leftovers.ts";
import { makeRoot } from "../busybox.ts";
import { addOutside, clearNetwork } from "../outside.ts";
import { prepareHost, runCases, summarize, workerTask } from "../scratch-worker.ts";
import { containerCases } from "./containers.ts";
import { Docker } from "./daemon.ts";
import { namespaceCases } from "./namespaces.ts";
import { Scripts } from "./scripts.ts";
import { walkThroughCases } from "./walk-through.ts";

const task = workerTask();
await prepareHost(task);
const root = `${task.folder}/root`;
await makeRoot(root);
await addOutside(root);
const docker = await Docker.start(task);
const scripts = new Scripts(task, docker.environment);
await docker.importImage(root, "busybox:latest");
summarize(`Docker ${await docker.version()}, ${(await outputOf("uname -sr")).trim()}`);

const mayDiffer = [
  ...["cni0", "cni_bridge0"].flatMap(keptBridge),
  ...["mybridge", "mynet"].flatMap(keptLeaseFolder),
  ...keptForwarding,
  ...keptIptablesChains,
  // Of the uplink, as soon as the host forwards.
  /^route \{"type":"anycast",.*"dev":"uplink"/,
  // What firewall, portmap and tuning keep. The scripts delete in the order of ADD, so tuning finds no interface to
  // set back, and leaves its note.
  /^ip6?tables-nft \w+ :CNI-/,
  /^nft \{"(chain|rule)":.*"CNI-(ADMIN|FORWARD|HOSTPORT-)/,
  /^ip6?tables-nft \w+ -A (FORWARD|CNI-FORWARD|PREROUTING|OUTPUT|POSTROUTING|CNI-HOSTPORT-\w+) /,
  /^file \/run\/cni\/(tuning\/(\w+_eth0\.json)?)? /,
  // The sockets of containerd's shims.
  /^file \/run\/containerd\/(s\/)? /,
];
await runCases(
  [...walkThroughCases(task), ...namespaceCases(scripts, task), ...containerCases(scripts, docker)],
  task,
  mayDiffer,
  async () => {
    await docker.removeAll();
    await clearNetwork();
  },
);
await docker.stop();
process.exit(0);
