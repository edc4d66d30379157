/** Networks that users make, and containers on one or two of them. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { networkOf, networkText } from "../../test/support/runtimes-page.ts";
import { leases } from "../containerd/network.ts";
import type { Cases } from "../scratch-worker.ts";
import type { Nerdctl } from "./nerdctl.ts";

const BLUE = ["--ipv6", "--subnet", "10.77.0.0/24", "--subnet", "fd00:77::/64", "blue"];
/** The network that docs/runtimes.md shows. */
const PAGE = networkOf("nerdctl");
const RED = ["--subnet", "10.78.0.0/24", "red"];

export function networkCases(nerdctl: Nerdctl): Cases {
  const start = (name: string, ...options: readonly string[]) =>
    nerdctl.run(["-d", "--name", name, ...options], ["sleep", "1000"]);
  const inside = (name: string, ...words: readonly string[]) => nerdctl.do("exec", name, ...words);
  const reaches = async (name: string, address: string) =>
    (await nerdctl.outcome("exec", name, "ping", "-q", "-c", "1", "-W", "1", address)).exitCode === 0;
  const addressOf = async (name: string, link: string) =>
    /inet ([\d.]+)/.exec(await inside(name, "ip", "-o", "-4", "addr", "show", link))?.[1] ?? "";
  const removeNetworks = async (...networks: readonly string[]) => {
    await nerdctl.do("network", "rm", ...networks);
    for (const network of networks) deepEqual(leases(network), {}, `leases of ${network}`);
    notEqual((await outputOf("ip -br link")).includes("br-"), true, "bridges");
  };
  return {
    "network create: two families, a static address and MAC": async () => {
      await nerdctl.do("network", "create", ...BLUE);
      await start("static", "--net", "blue", "--ip", "10.77.0.77", "--mac-address", "02:00:00:00:00:77");
      await start("other", "--net", "blue");
      const said = await inside("static", "ip", "addr", "show", "eth0");
      match(said, /link\/ether 02:00:00:00:00:77 /);
      match(said, /inet 10\.77\.0\.77\/24 /);
      const [attachment] = Object.values((await nerdctl.inspect("static")).networks);
      const { IPAddress, GlobalIPv6Address, MacAddress } = attachment ?? {};
      deepEqual([IPAddress, MacAddress], ["10.77.0.77", "02:00:00:00:00:77"]);
      match(GlobalIPv6Address ?? "", /^fd00:77::[\da-f]+$/);
      for (const address of [IPAddress, GlobalIPv6Address, "10.77.0.1", "fd00:77::1"])
        equal(await reaches("other", address ?? ""), true, `other reaches ${address}`);
      await nerdctl.do("rm", "-f", "static", "other");
      await removeNetworks("blue");
      return "as asked, by inspect and inside; reached by its neighbour; network rm";
    },
    "two networks on one container, kept apart by firewall": async () => {
      await nerdctl.do("network", "create", ...BLUE);
      await nerdctl.do("network", "create", ...RED);
      await start("both", "--net", "blue", "--net", "red");
      await start("blue1", "--net", "blue");
      await start("red1", "--net", "red");
      const [blue, red] = [await addressOf("both", "eth0"), await addressOf("both", "eth1")];
      match(blue, /^10\.77\.0\./);
      match(red, /^10\.78\.0\./);
      equal(await reaches("blue1", blue), true, "blue1 reaches both");
      equal(await reaches("red1", red), true, "red1 reaches both");
      // firewall takes the name of the bridge from the first interface of the result.
      equal(await reaches("red1", await addressOf("blue1", "eth0")), false, "red1 reaches blue1");
      await nerdctl.do("rm", "-f", "both", "blue1", "red1");
      await removeNetworks("blue", "red");
      return "reached on each; red does not reach blue";
    },
    "a network of the user's own: that of docs/runtimes.md": async () => {
      const file = "/etc/cni/net.d/20-mynet.conflist";
      writeFileSync(file, networkText("nerdctl"));
      await start("web", "--net", PAGE.name, "-p", "8081:80");
      await start("other", "--net", PAGE.name);
      const address = await addressOf("web", "eth0");
      match(address, /^10\.79\.0\./);
      equal(await reaches("other", address), true, "other reaches web");
      match(await outputOf("iptables-save -t nat"), new RegExp(`--dport 8081 .*${address}:80`));
      await nerdctl.do("rm", "-f", "web", "other");
      deepEqual(leases(PAGE.name), {});
      rmSync(file);
      await outputOf("ip link delete mynet0");
      return "address, neighbour, the rule of the published port";
    },
  };
}
