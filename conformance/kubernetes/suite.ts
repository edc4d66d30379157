/**
 * Kubernetes itself: a control plane and two nodes with kubelet, containerd and kube-proxy. It takes minutes and much of the
 * machine, so it runs only when it is named.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeImages } from "../../build/image.ts";
import { provideContainerd, provideCrictl } from "../containerd/programs.ts";
import { provideReference } from "../reference.ts";
import { runtimeSuite } from "../scratch-suite.ts";
import type { Suite, SuiteContext } from "../suite.ts";
import { provideKubernetes } from "./program.ts";

const PROJECT = join(import.meta.dir, "../..");

const suite: Suite = {
  title: "Kubernetes 1.37 with two nodes: pods, services, installation, losses",
  onlyByName: true,
  run: async (context) => {
    const binaries = binariesOf(context);
    context.say(`the plugins are those in ${binaries}`);
    const images = mkdtempSync(join(tmpdir(), "bridgehead-images-"));
    try {
      const target = `linux-${process.arch}`;
      const files = [{ target, file: join(binaries, "bridgehead") }];
      for await (const line of writeImages(images, files)) context.say(line);
      return await runtimeSuite({
        title: suite.title,
        folder: import.meta.dir,
        debian: { runc: "runc", conntrack: "conntrack" },
        runs: [
          {
            kubernetes: provideKubernetes,
            containerd: provideContainerd,
            crictl: provideCrictl,
            reference: provideReference,
            bun: join(PROJECT, "dist/bin"),
            images,
          },
        ],
        minutes: 20,
        slow: true,
      }).run({ ...context, binaries });
    } finally {
      rmSync(images, { recursive: true });
    }
  },
};
export default suite;

/** Those that were asked for; else the compact file, which is what images hold, if it has been built. */
function binariesOf({ binaries, chosen }: SuiteContext): string {
  const compact = join(PROJECT, "dist/compact");
  return !chosen && existsSync(join(compact, "bridgehead")) ? compact : binaries;
}
