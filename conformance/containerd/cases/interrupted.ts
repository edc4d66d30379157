/** ADD ends in the middle: the runtime's DEL must find everything. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { ContainerdStage } from "../cri.ts";
import { leases, ports } from "../network.ts";
import { StandIn } from "../plugin-folder.ts";

/** The calls by which bridge does something that others see: messages to the kernel, files, its IPAM plugin. */
const CALLS =
  "sendto,sendmsg,openat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,vfork,clone,clone3";

const POINTS = 8;

export function interruptedCases({ cri, task }: ContainerdStage): Cases {
  const nothingLeft = async (when: string) => {
    deepEqual(leases(), {}, `leases, ${when}`);
    deepEqual(await ports(), [], `ports, ${when}`);
  };
  const works = async () => cri.removePod(await cri.addPod("works"));
  const trace = `${task.folder}/trace`;
  const straced = (words: string) =>
    StandIn.put(task, "bridge", "ADD", (plugin) => `exec strace -qq -o ${trace} ${words} ${plugin}`);
  return {
    [`SIGKILL of bridge during ADD, at ${POINTS} points`]: async () => {
      {
        await using _ = await straced(`-e trace=${CALLS}`);
        await works();
      }
      const calls = readFileSync(trace, "utf8").match(/^\w+(?=\()/gm) ?? [];
      ok(calls.length > 20, `bridge does ${calls.length} calls only`);
      await nothingLeft("before");
      const points = Array.from({ length: POINTS }, (_, index) =>
        Math.round((calls.length * (index + 1)) / POINTS),
      );
      for (const point of points) {
        const call = calls[point - 1] ?? "";
        // Counted for each kind of call.
        const which = calls.slice(0, point).filter((name) => name === call).length;
        await using _ = await straced(`-e trace=${call} -e inject=${call}:signal=KILL:when=${which}`);
        const { exitCode, stderr } = await cri.failToAddPod(`killed${point}`);
        const when = `killed at call ${point} of ${calls.length}, ${call}`;
        notEqual(exitCode, 0, `the pod came up, ${when}`);
        match(stderr, /signal: killed/);
        await cri.removeAll();
        await nothingLeft(when);
      }
      await works();
      return `${calls.length} calls, killed at ${points.join(", ")}; the runtime's DEL leaves nothing`;
    },
    "the request is cancelled while bridge waits for its IPAM plugin": async () => {
      const reached = `${task.folder}/reached`;
      rmSync(reached, { force: true });
      {
        // The lease is made and told to nobody; ends when bridge is killed.
        await using _ = await StandIn.put(
          task,
          "host-local",
          "ADD",
          (plugin) => `${plugin} > ${reached}; tail -s 0.05 --pid=$PPID -f /dev/null; exit 1`,
        );
        const { exitCode, stderr } = await cri.failToAddPod("cancelled", 3);
        notEqual(exitCode, 0);
        match(stderr, /DeadlineExceeded|context deadline exceeded/);
      }
      const { ips } = JSON.parse(readFileSync(reached, "utf8")) as { ips: unknown[] };
      equal(ips.length, 2, "host-local has made leases");
      // crictl does not wait for what the runtime does then.
      await eventually("the leases are given back", () => Object.keys(leases()).length === 0, {
        state: leases,
      });
      await cri.removeAll();
      await nothingLeft("cancelled");
      await works();
      return "the runtime kills bridge, and its DEL gives back the leases";
    },
  };
}
