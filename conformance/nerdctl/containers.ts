/** Containers on nerdctl's default network, through their lives. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { outcomeOf, outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { ask, HTTPD } from "../busybox.ts";
import { leases, ports, tracesOf } from "../containerd/network.ts";
import { HOST, OUTSIDE, outside } from "../outside.ts";
import type { Cases } from "../scratch-worker.ts";
import type { Nerdctl } from "./nerdctl.ts";

/** The configuration of the default network is called "bridge". */
const DEFAULT = "bridge";

const PUBLISHED = ["-d", "--name", "web", "--hostname", "web", "-p", "8080:80"];

export function containerCases(nerdctl: Nerdctl): Cases {
  /** The first interface of a container, as inspect says, and as it is inside. */
  const expectInspected = async (container: string) => {
    const { pid, networks } = await nerdctl.inspect(container);
    const [attachment] = Object.values(networks);
    const inside = await outputOf([
      "nsenter",
      `--net=/proc/${pid}/ns/net`,
      "ip",
      "-j",
      "addr",
      "show",
      "eth0",
    ]);
    const [eth0] = JSON.parse(inside) as {
      address: string;
      addr_info: { family: string; local: string }[];
    }[];
    equal(attachment?.IPAddress, eth0?.addr_info.find(({ family }) => family === "inet")?.local);
    equal(attachment?.MacAddress, eth0?.address);
    return attachment?.IPAddress ?? "";
  };
  const answer = (from: readonly string[], address: string) =>
    eventually(
      `an answer from ${address}:8080`,
      async () => (await outcomeOf([...from, "busybox", ...ask(address, 8080)])).stdout.trim() || undefined,
    );
  const gone = async (ids: readonly string[]) => {
    for (const id of ids) deepEqual(await tracesOf(`default-${id}`, DEFAULT), [], `after the DEL of ${id}`);
    deepEqual(leases(DEFAULT), {});
    await eventually("no port is left", async () => (await ports()).length === 0, { state: ports });
  };
  return {
    "run --rm: the container's network": async () => {
      const script = `ip -o addr show dev eth0; ip route; ping -c 1 -W 30 10.4.0.1; ${ask(OUTSIDE.v4).join(" ")}`;
      const said = await nerdctl.run(["--rm"], ["/bin/sh", "-c", script]);
      match(said, /inet 10\.4\.0\.\d+\/24 brd 10\.4\.0\.255 scope global/);
      match(said, /^default via 10\.4\.0\.1 dev eth0/m);
      match(said, /1 packets received/);
      match(said, new RegExp(` ${HOST.v4}$`, "m"));
      await gone([]);
      return "address, route, gateway, the way out masqueraded";
    },
    "run -p: a published port": async () => {
      const id = await nerdctl.run(PUBLISHED, HTTPD);
      await expectInspected("web");
      equal(await answer(outside([]), HOST.v4), `web ${OUTSIDE.v4}`);
      // The host itself is masqueraded as the gateway on the way to a loopback address.
      equal(await answer([], "127.0.0.1"), "web 10.4.0.1");
      match(await nerdctl.do("exec", "web", "ip", "-o", "addr", "show", "eth0"), /inet 10\.4\.0\./);
      await nerdctl.do("rm", "-f", "web");
      await gone([id]);
      return "asked from outside and from the host; inspect, exec, rm -f";
    },
    "restart, kill, start": async () => {
      const id = await nerdctl.run(PUBLISHED, HTTPD);
      const processes = [(await nerdctl.inspect("web")).pid];
      const expectUp = async () => {
        const address = await expectInspected("web");
        deepEqual(Object.entries(leases(DEFAULT)), [[address, `default-${id}`]]);
        equal(await answer(outside([]), HOST.v4), `web ${OUTSIDE.v4}`);
        equal((await ports()).length, 1);
        const { pid } = await nerdctl.inspect("web");
        notEqual(pid, processes.at(-1));
        processes.push(pid);
      };
      await nerdctl.do("restart", "--time", "0", "web");
      await expectUp();
      await nerdctl.do("kill", "web");
      await eventually("the container has ended", async () =>
        (await nerdctl.do("ps", "-a", "--format", "{{.Status}}")).startsWith("Exited"),
      );
      await nerdctl.do("start", "web");
      await expectUp();
      await nerdctl.do("rm", "-f", "web");
      await gone([id]);
      return "one lease, one port, and the published port each time";
    },
    "six at once": async () => {
      const names = Array.from({ length: 6 }, (_, index) => `many${index}`);
      const start = (name: string) => nerdctl.run(["-d", "--name", name], ["sleep", "1000"]);
      const ids = await Promise.all(names.map(start));
      const addresses = await Promise.all(names.map(expectInspected));
      equal(new Set(addresses).size, 6, `addresses twice: ${addresses.join(" ")}`);
      deepEqual(Object.keys(leases(DEFAULT)).sort(), addresses.sort());
      await nerdctl.do("rm", "-f", ...names);
      await gone(ids);
      return "six addresses, all different, all given back";
    },
  };
}
