/** Podman with its CNI backend: our bridge and host-local in the chain of its networks, beside the reference's plugins. */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { provideBusybox } from "../busybox.ts";
import { provideDebian } from "../debian.ts";
import { provideNeighbours } from "../reference.ts";
import { runInScratchHost } from "../scratch-suite.ts";
import type { Suite, SuiteContext, SuiteReport } from "../suite.ts";

const suite: Suite = { title: "Podman with the CNI backend", run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { cache, say } = context;
  await provideTools(["bridge", "ip", "ip6tables-save", "iptables-save", "nft", "nsenter", "unshare"], say);
  await provideBusybox(say);
  await provideDebian({ conmon: "conmon", crun: "crun", podman: "podman" }, say);
  const neighbours = await provideNeighbours(cache, say);
  return runInScratchHost(join(import.meta.dir, "worker.ts"), { neighbours }, 6, context);
}
