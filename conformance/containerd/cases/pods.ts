/** Pods as the kubelet makes them: one looked at closely, many at once, and through restarts of containerd. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { rmSync } from "node:fs";
import { outcomeOf, outputOf } from "../../../test/support/command.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { ask, HTTPD } from "../../busybox.ts";
import { HOST, OUTSIDE, outside } from "../../outside.ts";
import { type Cases, summarize } from "../../scratch-worker.ts";
import type { ContainerdStage, Pod } from "../cri.ts";
import { configure, GATEWAY, keptResults, leases, NARROW, ports, tracesOf } from "../network.ts";

const MANY = 30;

/** What a plugin printed, of which all but the first field of `ips` may be missing. */
interface Result {
  readonly interfaces: { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips: { readonly address: string; readonly interface?: number; readonly gateway?: string }[];
}

interface KernelInterface {
  readonly ifname: string;
  readonly address: string;
  readonly addr_info: { readonly local: string; readonly scope: string }[];
}

export function podCases({ cri, daemon, version }: ContainerdStage): Cases {
  const gone = async (pods: readonly Pick<Pod, "id">[]) => {
    for (const { id } of pods) deepEqual(await tracesOf(id), [], `after the DEL of ${id}`);
    deepEqual(await ports(), []);
  };
  const remove = (pods: readonly Pod[]) => Promise.all(pods.map((pod) => cri.removePod(pod)));
  const addMany = (count: number, prefix: string) =>
    Promise.all(Array.from({ length: count }, (_, index) => cri.addPod(`${prefix}${index}`)));
  /** All addresses differ, and are those that host-local has given to the pods. */
  const expectUnique = (pods: readonly Pod[]) => {
    const addresses = pods.flatMap(({ v4, v6 }) => [v4, v6]);
    ok(
      addresses.every((address) => address !== ""),
      `an address is missing: ${addresses.join(" ")}`,
    );
    equal(new Set(addresses).size, 2 * pods.length, `addresses twice: ${addresses.join(" ")}`);
    const wanted = Object.fromEntries(
      pods.flatMap(({ id, v4, v6 }) => [[v4, id] as const, [v6, id] as const]),
    );
    deepEqual(sorted(leases()), sorted(wanted));
  };
  /** Each pod reaches the next one, the gateway, and the outside, which sees the host's address. */
  const expectReach = (pods: readonly Pod[]) =>
    Promise.all(
      pods.map(async (pod, index) => {
        const next = pods[(index + 1) % pods.length] ?? pod;
        const targets = [next.v4, next.v6, GATEWAY.v4, GATEWAY.v6];
        await cri.inside(pod, targets.map((target) => `ping -q -c 1 -W 30 ${target}`).join(" && "));
        const asked = [OUTSIDE.v4, `[${OUTSIDE.v6}]`].map((address) =>
          ["busybox", ...ask(address)].join(" "),
        );
        const said = await cri.inside(pod, asked.join(" && "));
        deepEqual(said.trim().split("\n").map(who), [HOST.v4, HOST.v6], `who asks from ${pod.name}`);
      }),
    );
  return {
    "pod: what the runtime has kept is what the kernel has": async () => {
      const pod = await cri.addPod("one");
      const inside = JSON.parse(await cri.inside(pod, "ip -j addr show eth0")) as KernelInterface[];
      const global = inside[0]?.addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local);
      deepEqual(global?.sort(), [pod.v4, pod.v6].sort(), "addresses of eth0 and of the CRI");
      expectUnique([pod]);
      const results = keptResults(pod.id).map((text) => (JSON.parse(text) as { result: Result }).result);
      const ofEth0 = ({ interfaces }: Result) => interfaces.some(({ name }) => name === "eth0");
      const { interfaces, ips } = results.find(ofEth0) ?? { interfaces: [], ips: [] };
      const [bridge, port, own] = interfaces;
      equal(interfaces.length, 3);
      const links = JSON.parse(await outputOf("ip -j addr")) as KernelInterface[];
      const macOf = (name = "") => links.find(({ ifname }) => ifname === name)?.address;
      deepEqual([bridge?.name, bridge?.mac, bridge?.sandbox], ["cni0", macOf("cni0"), undefined]);
      match(port?.name ?? "", /^veth[\da-f]+$/);
      deepEqual([port?.mac, port?.sandbox], [macOf(port?.name), undefined]);
      deepEqual([own?.name, own?.mac, own?.sandbox], ["eth0", inside[0]?.address, pod.netns]);
      deepEqual(
        ips.map((ip) => [ip.interface, ip.gateway]),
        [
          [2, GATEWAY.v4],
          [2, GATEWAY.v6],
        ],
      );
      match(await cri.inside(pod, "ip link show lo"), /<LOOPBACK,UP,LOWER_UP>/);
      await expectReach([pod]);
      await cri.removePod(pod);
      await gone([pod]);
      return "addresses, leases; names, macs, sandboxes, indexes of the kept result; reach";
    },
    [`pods: ${MANY} at once`]: async () => {
      const start = performance.now();
      const pods = await addMany(MANY, "many");
      const up = performance.now();
      expectUnique(pods);
      await expectReach(pods);
      const reached = performance.now();
      await remove(pods);
      const down = performance.now();
      await gone(pods);
      const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
      summarize(
        `containerd ${version}, ${MANY} pods: up in ${seconds(start, up)}, down in ${seconds(reached, down)}`,
      );
      return `${2 * MANY} addresses, all different; each reaches the next, its gateways and the outside`;
    },
    "pods: containerd is stopped, killed and started in between": async () => {
      const pods = await addMany(3, "before");
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        await daemon.stop(signal);
        await daemon.start();
        await cri.ready();
        pods.push(await cri.addPod(`after-${signal.toLowerCase()}`));
      }
      expectUnique(pods);
      await expectReach(pods);
      await remove(pods);
      await gone(pods);
      return "pods live on, new ones get other addresses, all are removed";
    },
    "pods: a port of the host": async () => {
      const pod = await cri.addPod("web", [{ host_port: 8080, container_port: 80 }]);
      await cri.startContainer(pod, ["/bin/busybox", ...HTTPD]);
      for (const address of [HOST.v4, `[${HOST.v6}]`]) {
        const asking = outside(["busybox", ...ask(address, 8080)]);
        const answer = await eventually(
          `an answer at ${address}:8080`,
          async () => (await outcomeOf(asking)).stdout.trim() || undefined,
          { state: () => outcomeOf(asking) },
        );
        equal(answer.split(" ")[0], "web");
        equal(who(answer), address === HOST.v4 ? OUTSIDE.v4 : OUTSIDE.v6);
      }
      await cri.removePod(pod);
      await gone([pod]);
      return "asked from outside, both families";
    },
    "pods: no address is left": async () => {
      const load = async (ranges?: typeof NARROW) => {
        configure("1.0.0", ranges);
        const isLoaded = async () =>
          (await cri.run(["info"])).includes("10.88.200.1") === (ranges !== undefined);
        await eventually("containerd has read the network", isLoaded);
      };
      try {
        await load(NARROW);
        const pods = await addMany(2, "last");
        const before = leases();
        const { exitCode, stderr } = await cri.failToAddPod("late");
        notEqual(exitCode, 0);
        match(stderr, /no IP addresses available in range set: 10\.88\.200\.1-10\.88\.200\.2/);
        deepEqual(leases(), before);
        equal((await ports()).length, 2);
        const [first] = pods.splice(0, 1);
        if (first !== undefined) await cri.removePod(first);
        pods.push(await cri.addPod("later"));
        equal(pods.at(-1)?.v4, first?.v4);
        await remove(pods);
        await gone(pods);
      } finally {
        await load();
      }
      return "the third pod of two addresses fails, with the reason, and leaves nothing; then it gets a freed one";
    },
    "pods: the namespace is gone before the pod is stopped": async () => {
      const pods = await addMany(2, "lost");
      for (const { netns } of pods) {
        await outputOf(["umount", "-l", netns]);
        rmSync(netns);
      }
      await remove(pods);
      for (const { id } of pods) deepEqual(await tracesOf(id), []);
      await eventually("no port is left", async () => (await ports()).length === 0, { state: ports });
      return "DEL without a namespace gives back leases and rules";
    },
  };
}

/** Who asked, as the web server says it. */
const who = (line: string): string => line.split(" ").at(-1) ?? "";

const sorted = (record: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
