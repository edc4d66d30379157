/** nerdctl, with our bridge and host-local in chains with the reference's portmap, firewall and tuning. */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { provideBusybox } from "../busybox.ts";
import { provideContainerd, provideNerdctl } from "../containerd/programs.ts";
import { provideDebian } from "../debian.ts";
import { provideNeighbours } from "../reference.ts";
import { runInScratchHost } from "../scratch-suite.ts";
import type { Suite, SuiteContext, SuiteReport } from "../suite.ts";

const suite: Suite = { title: "nerdctl on containerd", run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { cache, say } = context;
  await provideTools(["bridge", "ip", "ip6tables-save", "iptables-save", "nft", "nsenter", "unshare"], say);
  await provideBusybox(say);
  await provideDebian({ runc: "runc" }, say);
  const places = {
    neighbours: await provideNeighbours(cache, say),
    daemon: await provideContainerd(cache, say),
    nerdctl: await provideNerdctl(cache, say),
  };
  return runInScratchHost(join(import.meta.dir, "worker.ts"), places, 5, context);
}
