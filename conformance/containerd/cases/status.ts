/** STATUS, which containerd sends from 2.0.1 on for networks of 1.1.0 or later. */
import { match } from "node:assert/strict";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { ContainerdStage } from "../cri.ts";
import { configure } from "../network.ts";
import { StandIn } from "../plugin-folder.ts";

const TROUBLE = "no address is left, says the stand-in";

export function statusCases({ cri, task, version }: ContainerdStage): Cases {
  if (version.startsWith("1.")) return {};
  const network = async () => (await cri.conditions()).NetworkReady ?? { status: undefined, message: "" };
  const becomes = (ready: boolean) =>
    eventually(`NetworkReady is ${ready}`, async () => (await network()).status === ready, {
      state: network,
    });
  return {
    "STATUS: the network is as ready as the IPAM plugin says": async () => {
      configure("1.1.0");
      await becomes(true);
      const error = JSON.stringify({ cniVersion: "1.1.0", code: 50, msg: TROUBLE });
      {
        await using _ = await StandIn.put(task, "host-local", "STATUS", () => `echo '${error}'; exit 1`);
        await becomes(false);
        match((await network()).message, new RegExp(TROUBLE));
      }
      await becomes(true);
      await cri.removePod(await cri.addPod("latest"));
      configure("1.0.0");
      await becomes(true);
      return "NetworkReady true, false with the reason, true again; a pod on a network of 1.1.0";
    },
  };
}
