/** ADD and DEL are disturbed at each message to the kernel and each write: what is left is nothing, at the latest after DEL. */
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

type Command = "ADD" | "DEL";

const call = (host: ScratchHost, pod: Pod, command: Command, backend: Backend, options: readonly string[]) =>
  host.plugin("portmap", pod.request(command, PORTS, { backend }), [
    "strace",
    "-f",
    "-o",
    "/run/trace",
    ...options,
  ]);

/** How often a command makes each of the calls. */
async function counts(
  host: ScratchHost,
  pod: Pod,
  command: Command,
  backend: Backend,
): Promise<[string, number][]> {
  if (command === "DEL") await pod.add(PORTS, { backend });
  await call(host, pod, command, backend, ["-e", `trace=${CALLS.join(",")}`]);
  const lines = readFileSync("/run/trace", "utf8").split("\n");
  await pod.del();
  return CALLS.map((name) => [name, lines.filter((line) => line.includes(`${name}(`)).length]);
}

for (const backend of ["iptables", "nftables"] as const)
  traced(
    `A45, M53, P13: a failed or killed ADD and a killed DEL with ${backend}, beside another container's ports`,
    withBridge(async (host) => {
      const neighbour = new Pod(host, undefined, { addresses: ["10.1.2.9/24"], containerId: "c9" });
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      for (const isAlone of [true, false]) {
        if (!isAlone) await neighbour.add([{ hostPort: 9090, containerPort: 90 }], { backend });
        const before = await state(host);
        for (const [name, count] of await counts(host, pod, "ADD", backend)) {
          expect(count).toBeGreaterThan(0);
          for (let when = 1; when <= count; when++) {
            const failed = await call(host, pod, "ADD", backend, [
              "-e",
              `inject=${name}:error=EIO:when=${when}`,
            ]);
            if (failed.exitCode !== 0) expect([name, when, await state(host)]).toEqual([name, when, before]);
            else await pod.del();
            await call(host, pod, "ADD", backend, ["-e", `inject=${name}:signal=KILL:when=${when}`]);
            await pod.del();
            expect([name, when, await state(host)]).toEqual([name, when, before]);
          }
        }
      }
      await neighbour.check([{ hostPort: 9090, containerPort: 90 }], { backend });
      await neighbour.del();
      const before = await state(host);
      for (const [name, count] of await counts(host, pod, "DEL", backend)) {
        for (let when = 1; when <= count; when++) {
          await pod.add(PORTS, { backend });
          await call(host, pod, "DEL", backend, ["-e", `inject=${name}:signal=KILL:when=${when}`]);
          // M53: the setting is there only as long as the guard.
          const { rules, setting } = await state(host);
          expect([name, when, setting === "1" && !rules.join().includes("drop")]).toEqual([
            name,
            when,
            false,
          ]);
          await pod.del();
          expect([name, when, await state(host)]).toEqual([name, when, before]);
        }
      }
      await host.run("rm /run/trace");
    }),
  );
