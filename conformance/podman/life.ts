/** What happens to containers in their life, and to their networks with them. */
import { deepEqual, equal, match } from "node:assert/strict";
import { outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { ask } from "../busybox.ts";
import { HOST, OUTSIDE, outside } from "../outside.ts";
import type { Cases } from "../scratch-worker.ts";
import { leases, type Podman, portsOf } from "./podman.ts";

const BRIDGE = "cni-podman0";
const MANY = 6;

export function lifeCases(podman: Podman, root: string): Cases {
  const fromOutside = () => outputOf(outside(["chroot", root, ...ask(HOST.v4, 8080)]));
  const gone = async (when: string) => {
    deepEqual(leases("podman"), [], `leases ${when}`);
    equal(await portsOf(BRIDGE), 0, `ports of the bridge ${when}`);
    equal(await outputOf("iptables-save | grep -E -- '-A CNI-(DN-|[0-9a-f])' || true"), "", `rules ${when}`);
  };

  return {
    "stop, start, restart, rm -f": async () => {
      await podman.start("a", ["-p", "8080:80"]);
      equal(await fromOutside(), `a ${OUTSIDE.v4}\n`);
      await podman.run("stop", "-t", "0", "a");
      await gone("after stop");
      await podman.run("start", "a");
      await podman.ready("a");
      equal(await fromOutside(), `a ${OUTSIDE.v4}\n`);
      await podman.run("restart", "-t", "0", "a");
      await podman.ready("a");
      equal(await fromOutside(), `a ${OUTSIDE.v4}\n`);
      equal(leases("podman").length, 1);
      await podman.remove("a");
      await gone("after rm -f");
      return "the published port answers each time; lease, port and rules go with stop and rm -f";
    },
    "a container that ends by itself": async () => {
      await podman.start("short", ["-p", "8080:80"], ["sleep", "0.5"]);
      await podman.run("wait", "short");
      await eventually("podman has cleaned up", async () => (await portsOf(BRIDGE)) === 0);
      await eventually("the lease is free", () => leases("podman").length === 0);
      await podman.remove("short");
      await gone("at the end");
      return "lease, port and rules go";
    },
    "network reload after the firewall was flushed": async () => {
      await podman.start("a", ["-p", "8080:80"]);
      const before = await podman.attachment("a", "podman");
      await outputOf("iptables -t nat -F && iptables -F");
      await podman.run("network", "reload", "a");
      const after = await podman.attachment("a", "podman");
      deepEqual([after.IPAddress, after.MacAddress], [before.IPAddress, before.MacAddress]);
      equal(await fromOutside(), `a ${OUTSIDE.v4}\n`);
      match(await podman.inside("a", ask(OUTSIDE.v4)), new RegExp(` ${HOST.v4}$`));
      await podman.remove("a");
      await gone("at the end");
      return "same address and MAC, the way out and in are back";
    },
    [`${MANY} containers at once`]: async () => {
      const names = Array.from({ length: MANY }, (_, index) => `many-${index}`);
      await Promise.all(names.map((name) => podman.start(name)));
      const attachments = await Promise.all(names.map((name) => podman.attachment(name, "podman")));
      const addresses = attachments.map(({ IPAddress }) => IPAddress);
      equal(new Set(addresses).size, MANY, `addresses ${addresses}`);
      deepEqual([...leases("podman")].sort(), [...addresses].sort());
      await Promise.all(
        names.map(async (name, index) => {
          const next = (index + 1) % MANY;
          equal(await podman.inside(name, ask(addresses[next] ?? "")), `${names[next]} ${addresses[index]}`);
        }),
      );
      await Promise.all(names.map((name) => podman.remove(name)));
      await gone("at the end");
      return "addresses differ and are leased, each asks the next, all removed at once";
    },
    "a pod": async () => {
      await podman.startPod("pod", ["-p", "8080:80"]);
      await podman.start("web", ["--pod", "pod"]);
      await podman.start("idle", ["--pod", "pod"], ["sleep", "1000"]);
      equal(await fromOutside(), `pod ${OUTSIDE.v4}\n`);
      equal(await podman.inside("idle", ask("127.0.0.1")), "pod 127.0.0.1");
      equal(leases("podman").length, 1);
      await podman.run("pod", "rm", "-f", "-t", "0", "pod");
      await gone("after pod rm -f");
      return "one address for its containers, the published port";
    },
  };
}
