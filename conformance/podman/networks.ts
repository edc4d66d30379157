/** Networks that users make with `podman network create`. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { networkOf, networkText } from "../../test/support/runtimes-page.ts";
import { ask } from "../busybox.ts";
import { HOST, OUTSIDE, outside } from "../outside.ts";
import type { Cases } from "../scratch-worker.ts";
import { leases, type Podman } from "./podman.ts";

/** The network that docs/runtimes.md shows. */
const PAGE = networkOf("Podman");

const SIX = {
  cniVersion: "1.0.0",
  name: "six",
  plugins: [
    {
      type: "bridge",
      bridge: "six0",
      isGateway: true,
      ipMasq: true,
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "fd00:93::/64", gateway: "fd00:93::1" }]],
        routes: [{ dst: "::/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
    { type: "firewall" },
    { type: "tuning" },
  ],
};

export function networkCases(podman: Podman, root: string): Cases {
  /** Makes a network, gives its bridge to `use`, and removes it. */
  const withNetwork = async (
    name: string,
    options: readonly string[],
    use: (bridge: string) => Promise<void>,
  ) => {
    equal(await podman.run("network", "create", "--disable-dns", ...options, name), name);
    const bridge = await podman.run("network", "inspect", name, "--format", "{{.NetworkInterface}}");
    await use(bridge);
    deepEqual(leases(name), [], `leases of ${name}`);
    await podman.run("network", "rm", name);
    ok(!existsSync(`/sys/class/net/${bridge}`), `${bridge} after network rm`);
  };
  const addresses = async (name: string, ifname: string) =>
    (await podman.links(name))
      .filter((link) => link.ifname === ifname)
      .flatMap(({ addr_info }) =>
        addr_info.filter(({ scope }) => scope === "global").map(({ local }) => local),
      );

  return {
    "network create: subnet, gateway, range, mtu": async () => {
      const options = ["--subnet", "10.91.0.0/24", "--gateway", "10.91.0.254", "--ip-range", "10.91.0.64/28"];
      await withNetwork("custom", [...options, "--opt", "mtu=1400"], async (bridge) => {
        await podman.start("a", ["--network", "custom"]);
        const [link] = await podman.links("a");
        match(link?.addr_info[0]?.local ?? "", /^10\.91\.0\.(6[4-9]|7\d)$/);
        equal(link?.mtu, 1400);
        equal((await podman.attachment("a", "custom")).Gateway, "10.91.0.254");
        match(await outputOf(`ip addr show ${bridge}`), /mtu 1400[\s\S]*inet 10\.91\.0\.254\/24/);
        match(await podman.inside("a", ask(OUTSIDE.v4)), new RegExp(` ${HOST.v4}$`));
        await podman.remove("a");
      });
      return "each in the kernel, the way out, network rm takes the bridge";
    },
    "network create: two stacks": async () => {
      const options = ["--ipv6", "--subnet", "10.92.0.0/24", "--subnet", "fd00:92::/64"];
      await withNetwork("dual", options, async () => {
        await podman.start("a", ["--network", "dual", "-p", "8080:80"]);
        await podman.start("b", ["--network", "dual", "--ip", "10.92.0.77", "--ip6", "fd00:92::77"]);
        deepEqual(await addresses("b", "eth0"), ["10.92.0.77", "fd00:92::77"]);
        const a = await podman.attachment("a", "dual");
        deepEqual([a.IPAddress, a.GlobalIPv6Address], await addresses("a", "eth0"));
        deepEqual([a.Gateway, a.IPv6Gateway, a.GlobalIPv6PrefixLen], ["10.92.0.1", "fd00:92::1", 64]);
        equal(await podman.inside("b", ask(a.IPAddress)), "a 10.92.0.77");
        equal(await podman.inside("b", ask(`[${a.GlobalIPv6Address}]`)), "a fd00:92::77");
        match(await podman.inside("a", ask(OUTSIDE.v4)), new RegExp(` ${HOST.v4}$`));
        match(await podman.inside("a", ask(`[${OUTSIDE.v6}]`)), new RegExp(` ${HOST.v6}$`));
        for (const [address, from] of [
          [HOST.v4, OUTSIDE.v4],
          [`[${HOST.v6}]`, OUTSIDE.v6],
        ] as const)
          equal(await outputOf(outside(["chroot", root, ...ask(address, 8080)])), `a ${from}\n`);
        await podman.remove("a", "b");
      });
      return "static and leased addresses, neighbours, the way out and in, of both";
    },
    "a conflist of the user's own: IPv6 alone, 1.0.0": async () => {
      const conflist = `${podman.netD}/six.conflist`;
      writeFileSync(conflist, JSON.stringify(SIX));
      await podman.start("a", ["--network", "six", "-p", "8080:80"]);
      const [address = "", ...others] = await addresses("a", "eth0");
      match(address, /^fd00:93::/);
      deepEqual(others, []);
      const attachment = await podman.attachment("a", "six");
      deepEqual([attachment.GlobalIPv6Address, attachment.IPv6Gateway], [address, "fd00:93::1"]);
      match(await podman.inside("a", ask(`[${OUTSIDE.v6}]`)), new RegExp(` ${HOST.v6}$`));
      const asked = await outputOf(outside(["chroot", root, ...ask(`[${HOST.v6}]`, 8080)]));
      equal(asked, `a ${OUTSIDE.v6}\n`);
      await podman.remove("a");
      deepEqual(leases("six"), []);
      await podman.run("network", "rm", "six");
      ok(!existsSync("/sys/class/net/six0"), "six0 after network rm");
      return "address, podman inspect, the way out and in";
    },
    "a conflist of the user's own: that of docs/runtimes.md": async () => {
      const conflist = `${podman.netD}/mynet.conflist`;
      writeFileSync(conflist, networkText("Podman"));
      await podman.start("a", ["--network", PAGE.name, "-p", "8080:80", "--ip", "10.97.0.77"]);
      const [v4, v6 = ""] = await addresses("a", "eth0");
      equal(v4, "10.97.0.77");
      match(v6, /^fd00:97::/);
      match(await podman.inside("a", ask(OUTSIDE.v4)), new RegExp(` ${HOST.v4}$`));
      match(await podman.inside("a", ask(`[${OUTSIDE.v6}]`)), new RegExp(` ${HOST.v6}$`));
      equal(await outputOf(outside(["chroot", root, ...ask(HOST.v4, 8080)])), `a ${OUTSIDE.v4}\n`);
      await podman.remove("a");
      deepEqual(leases(PAGE.name), []);
      await podman.run("network", "rm", PAGE.name);
      return "the address asked for, the way out and in";
    },
    "network create --internal": async () => {
      await withNetwork("inner", ["--internal", "--subnet", "10.94.0.0/24"], async (bridge) => {
        await podman.start("a", ["--network", "inner"]);
        await podman.start("b", ["--network", "inner"]);
        const [a = ""] = await addresses("a", "eth0");
        const [b = ""] = await addresses("b", "eth0");
        equal(await podman.inside("a", ask(b)), `b ${a}`);
        equal(await podman.ip("a", "route show default"), "");
        equal((await outputOf(`ip -4 -o addr show ${bridge}`)).trim(), "");
        const out = await podman.outcome("exec", "a", "ping", "-c", "1", "-W", "1", OUTSIDE.v4);
        ok(out.exitCode !== 0, "it reaches the outside");
        await podman.remove("a", "b");
      });
      return "neighbours, no gateway, no way out";
    },
    "two networks on one container": async () => {
      const one = ["--subnet", "10.95.0.0/24"];
      const two = ["--subnet", "10.96.0.0/24"];
      await withNetwork("one", one, () =>
        withNetwork("two", two, async () => {
          const [first, second] = ["02:00:00:00:95:05", "02:00:00:00:96:06"];
          await podman.start("both", [
            ...["--network", `one:ip=10.95.0.5,mac=${first}`],
            ...["--network", `two:ip=10.96.0.6,mac=${second},interface_name=right`],
          ]);
          await podman.start("in-one", ["--network", "one"]);
          await podman.start("in-two", ["--network", "two"]);
          deepEqual(
            (await podman.links("both"))
              .map(({ ifname, address, addr_info }) => [ifname, address, addr_info[0]?.local])
              .sort(),
            [
              ["eth0", first, "10.95.0.5"],
              ["right", second, "10.96.0.6"],
            ],
          );
          for (const [network, ip, mac] of [
            ["one", "10.95.0.5", first],
            ["two", "10.96.0.6", second],
          ] as const) {
            const { IPAddress, MacAddress } = await podman.attachment("both", network);
            deepEqual([IPAddress, MacAddress], [ip, mac]);
            match(await podman.inside(`in-${network}`, ask(ip)), /^both /);
            const [neighbour = ""] = await addresses(`in-${network}`, "eth0");
            equal(await podman.inside("both", ask(neighbour)), `in-${network} ${ip}`);
          }
          match(await podman.inside("both", ask(OUTSIDE.v4)), new RegExp(` ${HOST.v4}$`));
          await podman.remove("both", "in-one", "in-two");
        }),
      );
      return "names, addresses and MACs of both, neighbours in both, the way out";
    },
    "network disconnect and connect": async () => {
      await withNetwork("one", ["--subnet", "10.95.0.0/24"], () =>
        withNetwork("two", ["--subnet", "10.96.0.0/24"], async () => {
          await podman.start("a", ["--network", "one"]);
          await podman.run("network", "connect", "--ip", "10.96.0.9", "two", "a");
          deepEqual(await addresses("a", "eth1"), ["10.96.0.9"]);
          equal(await outputOf(["chroot", root, ...ask("10.96.0.9")]), "a 10.96.0.1\n");
          await podman.run("network", "disconnect", "one", "a");
          deepEqual(
            (await podman.links("a")).map(({ ifname }) => ifname),
            ["eth1"],
          );
          deepEqual([leases("one"), leases("two")], [[], ["10.96.0.9"]]);
          await podman.run("network", "connect", "one", "a");
          const [again = ""] = await addresses("a", "eth0");
          equal(await outputOf(["chroot", root, ...ask(again)]), "a 10.95.0.1\n");
          await podman.remove("a");
        }),
      );
      return "links and leases come and go while the container runs";
    },
  };
}
