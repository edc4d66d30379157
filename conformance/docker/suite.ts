/**
 * The walk-through that users follow, and the scripts of the CNI repository that it ends with: plugins called by hand,
 * for a private network namespace, and for containers of a real Docker daemon.
 */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { provideBusybox } from "../busybox.ts";
import { provideDebian } from "../debian.ts";
import { provideGoSources } from "../go-programs.ts";
import { provideNeighbours } from "../reference.ts";
import { runInScratchHost } from "../scratch-suite.ts";
import type { Suite, SuiteContext, SuiteReport } from "../suite.ts";

const suite: Suite = { title: "the walk-through, its scripts, and Docker", run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { cache, say } = context;
  await provideTools(["bridge", "ip", "ip6tables-save", "iptables-save", "nft", "nsenter", "unshare"], say);
  await provideBusybox(say);
  await provideDebian(
    { brctl: "bridge-utils", docker: "docker.io", dockerd: "docker.io", ifconfig: "net-tools", jq: "jq" },
    say,
  );
  const cni = {
    name: "cni-scripts",
    version: "v1.3.0",
    packages: ["github.com/containernetworking/cni"],
    goNeeded: [1, 21],
  } as const;
  const scripts = await provideGoSources(cni, "scripts", cache, say);
  const neighbours = await provideNeighbours(cache, say);
  return runInScratchHost(join(import.meta.dir, "worker.ts"), { scripts, neighbours }, 4, context);
}
