/** Containers in Podman's default network: bridge with host-local, then portmap, firewall and tuning. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { hostname } from "node:os";
import { outputOf } from "../../test/support/command.ts";
import { ask } from "../busybox.ts";
import { HOST, OUTSIDE, outside } from "../outside.ts";
import type { Cases } from "../scratch-worker.ts";
import { leases, type Podman, portsOf } from "./podman.ts";

const BRIDGE = "cni-podman0";
const GATEWAY = "10.88.0.1";

export function defaultNetworkCases(podman: Podman, root: string): Cases {
  /** Who answers at a port of the host, and who it says has asked. */
  const fromHost = (address: string, port: number) => outputOf(["chroot", root, ...ask(address, port)]);
  const fromOutside = (address: string, port: number) =>
    outputOf(outside(["chroot", root, ...ask(address, port)]));

  return {
    "default network: address, routes, MAC": async () => {
      await podman.start("a");
      const attachment = await podman.attachment("a", "podman");
      const [link, ...others] = await podman.links("a");
      deepEqual(others, []);
      equal(link?.ifname, "eth0");
      equal(attachment.MacAddress, link?.address);
      const [address] = link?.addr_info ?? [];
      deepEqual([attachment.IPAddress, attachment.IPPrefixLen], [address?.local, address?.prefixlen]);
      equal(attachment.IPPrefixLen, 16);
      equal(attachment.Gateway, GATEWAY);
      const routes = (await podman.ip("a", "route")).split("\n").map((line) => line.trim());
      equal(routes[0], `default via ${GATEWAY} dev eth0`);
      deepEqual(leases("podman"), [attachment.IPAddress]);
      match(await outputOf("bridge -d link"), new RegExp(`master ${BRIDGE} .*\\n +hairpin on`));
      match(await outputOf("iptables-save"), new RegExp(`-A CNI-FORWARD -s ${address?.local}/32 -j ACCEPT`));
      await podman.remove("a");
      deepEqual(leases("podman"), []);
      equal(await portsOf(BRIDGE), 0);
      return "what podman inspect says against the kernel, lease, hairpin, firewall's rule";
    },
    "default network: gateway, the way out": async () => {
      await podman.start("a");
      await podman.inside("a", ["ping", "-c", "1", "-W", "30", GATEWAY]);
      equal(await podman.inside("a", ask(OUTSIDE.v4)), `${hostname()} ${HOST.v4}`);
      await podman.remove("a");
      return "ping, masquerade";
    },
    "default network: containers reach each other": async () => {
      await podman.start("a");
      await podman.start("b");
      const [a, b] = [await podman.attachment("a", "podman"), await podman.attachment("b", "podman")];
      notEqual(a.IPAddress, b.IPAddress);
      equal(await podman.inside("a", ask(b.IPAddress)), `b ${a.IPAddress}`);
      equal(await podman.inside("b", ask(a.IPAddress)), `a ${b.IPAddress}`);
      await podman.remove("a", "b");
      return "both ways, without masquerade";
    },
    "published ports": async () => {
      await podman.start("server", ["-p", "8080:80", "-p", "127.0.0.1:8081:80"]);
      await podman.start("client");
      const server = await podman.attachment("server", "podman");
      for (const [address, port] of [
        [HOST.v4, 8080],
        ["127.0.0.1", 8080],
        ["127.0.0.1", 8081],
      ] as const)
        match(await fromHost(address, port), /^server /, `the host asks ${address}:${port}`);
      equal(await fromOutside(HOST.v4, 8080), `server ${OUTSIDE.v4}\n`);
      for (const name of ["client", "server"])
        match(await podman.inside(name, ask(GATEWAY, 8080)), /^server /, `${name} asks through the bridge`);
      const refused = await fromOutside(HOST.v4, 8081).then(
        () => "answered",
        () => "refused",
      );
      equal(refused, "refused", "a port of 127.0.0.1 from outside");
      const ports = (await podman.run("port", "server", "80/tcp")).split("\n");
      deepEqual(ports.sort(), ["0.0.0.0:8080", "127.0.0.1:8081"]);
      await podman.remove("server", "client");
      equal(await outputOf(`iptables-save | grep ${server.IPAddress} || true`), "");
      return "from host, localhost, outside, a neighbour and itself through the bridge";
    },
    "static address and MAC": async () => {
      const [ip, mac] = ["10.88.7.7", "92:d0:c6:0a:29:33"];
      for (const round of ["first", "second"]) {
        await podman.start("static", ["--ip", ip, "--mac-address", mac]);
        const [link] = await podman.links("static");
        equal(link?.address, mac, round);
        equal(link?.addr_info[0]?.local, ip, round);
        const attachment = await podman.attachment("static", "podman");
        deepEqual([attachment.IPAddress, attachment.MacAddress], [ip, mac]);
        equal(await outputOf(["chroot", root, ...ask(ip)]), `static ${GATEWAY}\n`);
        match(await outputOf(`ip neigh show ${ip}`), new RegExp(`lladdr ${mac}`));
        await podman.remove("static");
        deepEqual(leases("podman"), []);
      }
      return "in the kernel, in podman inspect, on the link; free again after rm";
    },
    "an address that is taken, one of another network": async () => {
      const ip = "10.88.7.7";
      await podman.start("owner", ["--ip", ip]);
      for (const [address, words] of [
        [ip, /10\.88\.7\.7.*not available/],
        ["10.77.0.1", /10\.77\.0\.1/],
      ] as const) {
        const refused = await podman.outcome(...podman.startWords("late", ["--ip", address]));
        ok(refused.exitCode !== 0, `--ip ${address}`);
        match(refused.stderr, words);
        await podman.remove("late");
        deepEqual(leases("podman"), [ip]);
        equal(await portsOf(BRIDGE), 1);
      }
      equal(await podman.inside("owner", ask(ip)), `owner ${ip}`);
      await podman.remove("owner");
      return "refused with a reason, the owner still works";
    },
    "--rootfs and --rm": async () => {
      const own = ["--rm", "--ulimit", "host", "--cgroup-parent", podman.cgroup];
      const said = await podman.run("run", ...own, "--rootfs", root, ...ask(OUTSIDE.v4));
      match(said, new RegExp(` ${HOST.v4}$`));
      deepEqual(leases("podman"), []);
      return "the way out, no lease when it has ended";
    },
  };
}
