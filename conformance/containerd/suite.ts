/** Containers of a real containerd and runc: ctr, and pods of the CRI as the kubelet makes them. */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { provideBusybox } from "../busybox.ts";
import { provideDebian } from "../debian.ts";
import { provideNeighbours } from "../reference.ts";
import { runInScratchHost } from "../scratch-suite.ts";
import type { Suite, SuiteContext, SuiteReport } from "../suite.ts";
import { provideContainerd, provideCrictl } from "./programs.ts";

const suite: Suite = { title: "containerd, Debian's and the newest: ctr and pods", run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  const { cache, say } = context;
  await provideTools(
    ["bridge", "ip", "ip6tables-save", "iptables-save", "nft", "nsenter", "ping", "strace", "unshare"],
    say,
  );
  await provideBusybox(say);
  await provideDebian({ "/usr/bin/containerd": "containerd", runc: "runc" }, say);
  const neighbours = await provideNeighbours(cache, say);
  const crictl = await provideCrictl(cache, say);
  const daemons = ["/usr/bin", await provideContainerd(cache, say)];
  const reports: SuiteReport[] = [];
  for (const daemon of daemons) {
    const places = { neighbours, crictl, daemon };
    reports.push(await runInScratchHost(join(import.meta.dir, "worker.ts"), places, 5, context));
  }
  return {
    cases: reports.flatMap(({ cases }) => cases),
    summary: reports.flatMap(({ summary }) => summary),
  };
}
