/** ADD is disturbed at each message to the kernel and each write: what is left is nothing, at the latest after DEL. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { type Backend, listed, Pod, saved } from "./pod.ts";
import { V4, V6, withBridge } from "./scene.ts";

const traced = hostTests({}, testUnless(whyNoProgram("strace")));
const PORTS = [
  { hostPort: 8080, containerPort: 80 },
  { hostPort: 8053, containerPort: 53, protocol: "udp" },
];
/** System calls by which ADD changes something, or asks. */
const CALLS = ["sendto", "write"];

const state = async (host: ScratchHost) => ({
  rules: [await saved(), await listed(), await listed("ip6"), await listed("ip", "cni_hostport_guard")],
  setting: (await host.run("cat /proc/sys/net/ipv4/conf/br0/route_localnet")).trim(),
});

const add = (host: ScratchHost, pod: Pod, backend: Backend, options: readonly string[]) =>
  host.plugin("portmap", pod.request("ADD", PORTS, { backend }), [
    "strace",
    "-f",
    "-o",
    "/run/trace",
    ...options,
  ]);

/** How often an ADD makes each of the calls. */
async function counts(host: ScratchHost, pod: Pod, backend: Backend): Promise<[string, number][]> {
  await add(host, pod, backend, ["-e", `trace=${CALLS.join(",")}`]);
  const lines = readFileSync("/run/trace", "utf8").split("\n");
  await pod.del();
  return CALLS.map((name) => [name, lines.filter((line) => line.includes(`${name}(`)).length]);
}

for (const backend of ["iptables", "nftables"] as const)
  traced(
    `A45: a failed or killed ADD with ${backend}, beside another container's ports`,
    withBridge(async (host) => {
      const neighbour = new Pod(host, undefined, { addresses: ["10.1.2.9/24"], containerId: "c9" });
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      for (const isAlone of [true, false]) {
        if (!isAlone) await neighbour.add([{ hostPort: 9090, containerPort: 90 }], { backend });
        const before = await state(host);
        for (const [name, count] of await counts(host, pod, backend)) {
          expect(count).toBeGreaterThan(0);
          for (let when = 1; when <= count; when++) {
            const failed = await add(host, pod, backend, ["-e", `inject=${name}:error=EIO:when=${when}`]);
            if (failed.exitCode !== 0) expect([name, when, await state(host)]).toEqual([name, when, before]);
            else await pod.del();
            await add(host, pod, backend, ["-e", `inject=${name}:signal=KILL:when=${when}`]);
            await pod.del();
            expect([name, when, await state(host)]).toEqual([name, when, before]);
          }
        }
      }
      await neighbour.check([{ hostPort: 9090, containerPort: 90 }], { backend });
      await neighbour.del();
      await host.run("rm /run/trace");
    }),
  );
