/** `ctr run --cni`: no CRI, no loopback; DEL comes with an empty namespace. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { outcomeOf, outputOf } from "../../../test/support/command.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { ask } from "../../busybox.ts";
import { HOST, OUTSIDE } from "../../outside.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { ContainerdStage } from "../cri.ts";
import { GATEWAY, leases, ports, tracesOf } from "../network.ts";

/** The container id that ctr gives to the plugins. */
const idOf = (name: string): string => `default-${name}`;

export function ctrCases({ daemon, task, root }: ContainerdStage): Cases {
  const command = (name: string, script: string) =>
    daemon.ctrCommand([
      ...["run", "--rm", "--cni", "--rootfs", "--cgroup", `/${task.cgroup}/${name}`],
      ...[root, name, "/bin/sh", "-c", script],
    ]);
  const run = (name: string, script: string) => outputOf(command(name, script), { env: daemon.environment });
  const gone = async (name: string) => {
    deepEqual(await tracesOf(idOf(name)), [], `after the DEL of ${name}`);
    // Both ends go with the namespace, in the kernel's own time.
    await eventually("no port is left", async () => (await ports()).length === 0, { state: ports });
  };
  return {
    "ctr run --cni: the container's network": async () => {
      const said = await run(
        "one",
        `ip -o addr show dev eth0; ip route; ip -6 route
          ping -c 1 -W 30 ${GATEWAY.v4}; ping -c 1 -W 30 ${GATEWAY.v6}
          ${ask(OUTSIDE.v4).join(" ")}; ${ask(`[${OUTSIDE.v6}]`).join(" ")}`,
      );
      match(said, /inet 10\.88\.\d+\.\d+\/16 brd 10\.88\.255\.255 scope global/);
      match(said, /inet6 fd00:88::[\da-f]+\/64 scope global/);
      match(said, new RegExp(`default via ${GATEWAY.v4} dev eth0`));
      match(said, new RegExp(`default via ${GATEWAY.v6} dev eth0`));
      equal(said.match(/1 packets received/g)?.length, 2, said);
      match(said, new RegExp(` ${HOST.v4}$`, "m"));
      match(said, new RegExp(` ${HOST.v6}$`, "m"));
      await gone("one");
      return "addresses, routes, gateways, the way out masqueraded, both families";
    },
    "ctr run --cni: eight at once": async () => {
      const containers = Array.from({ length: 8 }, (_, index) => `many${index}`);
      // The last line tells a container without addresses from one whose output was lost on the way.
      const said = await Promise.all(
        containers.map((name) => run(name, "ip -o addr show dev eth0 scope global; echo all of it")),
      );
      deepEqual(
        containers.filter((_, index) => !said[index]?.endsWith("all of it\n")),
        [],
        `ctr has not passed on all that these said, of: ${JSON.stringify(said)}`,
      );
      const addresses = said.flatMap((text) => text.match(/inet6? \S+/g) ?? []);
      equal(addresses.length, 16, said.join(""));
      equal(new Set(addresses).size, 16, `addresses twice: ${addresses.join(", ")}`);
      for (const name of containers) await gone(name);
      return "16 addresses, all different";
    },
    "ctr run --cni: the container is killed": async () => {
      const running = outcomeOf(command("killed", "sleep 1000"), { env: daemon.environment });
      const held = () => Object.values(leases()).filter((id) => id === idOf("killed")).length;
      const isUp = async () =>
        held() === 2 && (await outcomeOf(daemon.ctrCommand(["task", "ls"]))).stdout.includes("RUNNING");
      await eventually("the container runs", isUp, { state: leases });
      ok((await ports()).some((port) => port.endsWith(" of cni0")));
      await daemon.ctr(["task", "kill", "--signal", "SIGKILL", "killed"]);
      equal((await running).exitCode, 137);
      await gone("killed");
      return "leases and port while it runs, none after SIGKILL";
    },
  };
}
