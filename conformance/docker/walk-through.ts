/** Steps 1 to 3 of the walk-through: an ADD by hand in the folder of the binaries, and the looks at what it did. */
import { equal, match } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { ask } from "../busybox.ts";
import { HOST, OUTSIDE } from "../outside.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import { type Cases, hostEnvironment } from "../scratch-worker.ts";

const NETNS = "1234567890";
const IFNAME = "eth12";
const MYBRIDGE = {
  cniVersion: "0.2.0",
  name: "mybridge",
  type: "bridge",
  bridge: "cni_bridge0",
  isGateway: true,
  ipMasq: true,
  ipam: {
    type: "host-local",
    subnet: "10.15.20.0/24",
    routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: "10.15.20.1" }],
  },
};

/** What the calls of one case share. */
interface Steps {
  /** Standard output of `./bridge <mybridge.conf`. @throws CommandFailed */
  call(command: "ADD" | "DEL"): Promise<string>;
  inside(command: string): Promise<string>;
}

/** The cases; the outside of the host is where 1.1.1.1 is. */
export function walkThroughCases(task: WorkerTask): Cases {
  const conf = `${task.folder}/mybridge.conf`;
  const env = hostEnvironment(task);
  const steps: Steps = {
    call: (command) => {
      const variables = `CNI_COMMAND=${command} CNI_CONTAINERID=${NETNS} CNI_NETNS=/var/run/netns/${NETNS}`;
      const line = `${variables} CNI_IFNAME=${IFNAME} CNI_PATH=$PWD ./bridge <${conf}`;
      return outputOf(line, { env, cwd: task.binaries });
    },
    inside: (command) => outputOf(`ip netns exec ${NETNS} ${command}`, { env }),
  };
  const walk = (look: (result: string) => Promise<string>) => async () => {
    writeFileSync(conf, JSON.stringify(MYBRIDGE));
    await outputOf(`ip netns add ${NETNS}`);
    const result = await steps.call("ADD");
    const compared = await look(result);
    equal(await steps.call("DEL"), "");
    equal(await outputOf("iptables-save | grep mybridge || true"), "", "iptables-save after DEL");
    equal((await steps.inside("ip -j link show type veth")).trim() || "[]", "[]", "veths after DEL");
    await outputOf(`ip netns delete ${NETNS}`);
    return compared;
  };
  return {
    "walk-through: the result of ADD": walk(async (result) => {
      const expected = {
        cniVersion: "0.2.0",
        ip4: {
          ip: (JSON.parse(result) as { ip4: { ip: string } }).ip4.ip,
          gateway: "10.15.20.1",
          routes: MYBRIDGE.ipam.routes,
        },
        dns: {},
      };
      match(expected.ip4.ip, /^10\.15\.20\.\d+\/24$/);
      equal(JSON.stringify(JSON.parse(result)), JSON.stringify(expected));
      return "all fields of a result of 0.2.0";
    }),
    "walk-through: iptables-save | grep mybridge": walk(async (result) => {
      const { ip4 } = JSON.parse(result) as { ip4: { ip: string } };
      const rules = await outputOf("iptables-save | grep mybridge");
      match(rules, new RegExp(`-A POSTROUTING -s ${ip4.ip.replace("/24", "/32")} .*mybridge.* -j CNI-`));
      match(rules, /-A CNI-\w+ -d 10\.15\.20\.0\/24 .*mybridge.* -j ACCEPT/);
      match(rules, /-A CNI-\w+ ! -d 224\.0\.0\.0\/4 .*mybridge.* -j MASQUERADE/);
      return "jump, accept, masquerade";
    }),
    "walk-through: address and routes of eth12": walk(async (result) => {
      const ip = (JSON.parse(result) as { ip4: { ip: string } }).ip4.ip;
      match(await steps.inside(`ip addr show ${IFNAME}`), new RegExp(`inet ${ip} brd 10\\.15\\.20\\.255`));
      match(await steps.inside(`ifconfig ${IFNAME}`), new RegExp(`inet ${ip.replace("/24", " ")}`));
      const routes = (await steps.inside("ip route")).split("\n").map((line) => line.trim());
      equal(
        routes.join("\n"),
        [
          `default via 10.15.20.1 dev ${IFNAME}`,
          `1.1.1.1 via 10.15.20.1 dev ${IFNAME}`,
          `10.15.20.0/24 dev ${IFNAME} proto kernel scope link src ${ip.replace("/24", "")}`,
          "",
        ].join("\n"),
      );
      return "ip addr, ifconfig, ip route";
    }),
    "walk-through: the port of cni_bridge0": walk(async () => {
      match(await outputOf("brctl show"), /^cni_bridge0\s+\S+\s+no\s+veth\w+$/m);
      match(await outputOf("bridge link"), /veth\w+@.* master cni_bridge0 state forwarding/);
      match(await outputOf("ip addr show cni_bridge0"), /inet 10\.15\.20\.1\/24 brd 10\.15\.20\.255/);
      return "brctl show, bridge link, ip addr";
    }),
    "walk-through: the way out": walk(async () => {
      await steps.inside("ping -c 1 -W 30 10.15.20.1");
      for (const address of [OUTSIDE.walkThrough, OUTSIDE.v4]) {
        const asked = await steps.inside(`chroot ${task.folder}/root ${ask(address).join(" ")}`);
        equal(asked.trim().split(" ").at(-1), HOST.v4, `who asks ${address}`);
      }
      return "gateway answers; 1.1.1.1 and the default route, masqueraded";
    }),
  };
}
