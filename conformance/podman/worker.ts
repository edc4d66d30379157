/** The cases of the suite, in a scratch host. Started by suite.ts. */
import { outputOf } from "../../test/support/command.ts";
import { keptForwarding } from "../../test/support/leftovers.ts";
import { openStage, runCases, summarize } from "../scratch-worker.ts";
import { defaultNetworkCases } from "./default-network.ts";
import { lifeCases } from "./life.ts";
import { networkCases } from "./networks.ts";
import { Podman } from "./podman.ts";

const { task, root } = await openStage();
const podman = await Podman.prepare(task, root);
summarize(`${await podman.version()}, ${(await outputOf("uname -sr")).trim()}`);
await makeGround();

/** What the plugins of a network keep is there before the first case: a bridge, the folder of tuning. */
async function makeGround(): Promise<void> {
  await podman.run("network", "create", "--ipv6", "--subnet", "fd00:90::/64", "--disable-dns", "ground");
  const options = ["-p", "8080:80", "--mac-address", "02:00:00:00:00:01"];
  await podman.start("in-default", options);
  await podman.remove("in-default");
  await podman.start("in-both-families", [...options, "--network", "ground"]);
  await podman.remove("in-both-families");
  await podman.run("network", "rm", "ground");
}

const mayDiffer = [
  ...keptForwarding,
  /^file \/run\/(crun|libpod)\//,
  // The hint of host-local, and the folders of networks that are no more: but no lease.
  /^file \/var\/lib\/cni\/networks\/[\w-]+\/((lock|last_reserved_ip\.\d+)? )/,
  /^file \/var\/lib\/cni\/networks\/\.bridgehead\/[\w-]+\.index /,
  // A bridge has the address of a port, if it has one.
  /^(link|fdb) .*cni-podman0/,
  /^route \{"type":"anycast",.*"dev":"uplink"/,
];
await runCases(
  { ...defaultNetworkCases(podman, root), ...networkCases(podman, root), ...lifeCases(podman, root) },
  task,
  {
    mayDiffer,
    reorders: ["network reload after the firewall was flushed"],
    rescue: () => podman.removeAll(),
    afterRescue: makeGround,
  },
);
