/** priv-net-run.sh: a command in a fresh network namespace that the plugins have set up. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { ask } from "../busybox.ts";
import { HOST, OUTSIDE } from "../outside.ts";
import type { WorkerTask } from "../scratch-suite.ts";
import type { Cases } from "../scratch-worker.ts";
import { MYNET, type Scripts } from "./scripts.ts";

const SCRIPT = "priv-net-run.sh";
const LEASES = "/var/lib/cni/networks/mynet";

interface Result {
  readonly cniVersion: string;
  readonly ip4?: object;
  readonly interfaces?: readonly { name: string; mac?: string; sandbox?: string }[];
  readonly ips?: readonly { address: string; gateway?: string; interface?: number }[];
}

export function namespaceCases(scripts: Scripts, { folder }: WorkerTask): Cases {
  const root = `${folder}/root`;
  return {
    "priv-net-run.sh ifconfig": async () => {
      scripts.configure();
      const said = await scripts.outcome(SCRIPT, ["ifconfig"]);
      equal(said.exitCode, 0, said.stdout + said.stderr);
      equal(said.stderr, "");
      match(
        said.stdout,
        /^eth0: .*UP.*\n\s+inet 10\.22\.\d+\.\d+ {2}netmask 255\.255\.0\.0 {2}broadcast 10\.22\.255\.255/m,
      );
      match(said.stdout, /^lo: flags=.*UP.*\n\s+inet 127\.0\.0\.1/m);
      return "eth0 with its address, lo up, silence on stderr";
    },
    "priv-net-run.sh: the way out": async () => {
      scripts.configure();
      const asked = await scripts.run(SCRIPT, ["chroot", root, ...ask(OUTSIDE.v4)]);
      equal(asked.trim().split(" ").at(-1), HOST.v4);
      return "masqueraded";
    },
    "priv-net-run.sh four times at once": async () => {
      scripts.configure();
      const go = `${folder}/go`;
      const here = `${folder}/here-`;
      const program = `ip -j -4 addr show eth0 >${here}$1.part && mv ${here}$1.part ${here}$1
          until [ -e ${go} ]; do sleep 0.02; done
          for address in $(cat ${go}); do ping -q -c 1 -W 30 $address || exit; done`;
      const names = ["1", "2", "3", "4"];
      const runs = names.map((name) => scripts.run(SCRIPT, ["sh", "-c", program, "sh", name]));
      const all = Promise.all(runs);
      const present = () => names.every((name) => readdirSync(folder).includes(`here-${name}`));
      await Promise.race([eventually("all four are up", present), all]);
      const addresses = (await outputOf(`cat ${here}*`)).match(/(?<="local":")[^"]+/g) ?? [];
      equal(new Set(addresses).size, names.length, `addresses ${addresses}`);
      writeFileSync(`${go}.part`, addresses.join("\n"));
      await outputOf(`mv ${go}.part ${go}`);
      await all;
      await outputOf(`rm ${go} ${here}*`);
      return "addresses differ, each reaches each";
    },
    "priv-net-run.sh with DEBUG=1": async () => {
      scripts.configure();
      // Between the results of ADD and of DEL.
      const stdout = await scripts.run(SCRIPT, ["echo", "null"], { DEBUG: "1" });
      const documents = JSON.parse(await outputOf(["jq", "-s", "."], { stdin: stdout })) as (Result | null)[];
      const [bridge, loopback, ...rest] = documents;
      deepEqual(rest, [null], "what follows the two results");
      equal(bridge?.cniVersion, "0.2.0");
      match(JSON.stringify(bridge?.ip4), /"ip":"10\.22\.\d+\.\d+\/16","gateway":"10\.22\.0\.1"/);
      equal(loopback?.cniVersion, "0.2.0");
      return "one result on stdout for each ADD, none for DEL";
    },
    "priv-net-run.sh, two stacks, 1.0.0": async () => {
      const ranges = [[{ subnet: "10.22.0.0/16" }], [{ subnet: "fd00:22::/64" }]];
      const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
      scripts.configure({ ...MYNET, cniVersion: "1.0.0", ipam: { type: "host-local", ranges, routes } });
      const asking = [OUTSIDE.v4, `[${OUTSIDE.v6}]`].map((server) => ask(server).join(" "));
      const program = ["ip -j addr show eth0", ...asking.map((words) => `chroot ${root} ${words}`)].join(
        " && ",
      );
      const said = await scripts.run(SCRIPT, ["sh", "-c", program]);
      const [addresses = "", v4 = "", v6 = ""] = said.split("\n");
      match(addresses, /"local":"10\.22\./);
      match(addresses, /"local":"fd00:22::/);
      match(v4, new RegExp(` ${HOST.v4}$`));
      match(v6, new RegExp(` ${HOST.v6}$`));
      return "addresses and the way out of both, masqueraded";
    },
    "a list in a .conf: our result goes to the next plugins": async () => {
      const { cniVersion: _, name, ...plugin } = MYNET;
      const portmap = {
        type: "portmap",
        runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] },
      };
      const plugins = [plugin, { type: "tuning", mtu: 1400 }, { type: "firewall" }, portmap];
      scripts.configure({ cniVersion: "1.0.0", name, plugins });
      const look = "ip link show eth0; nsenter --net=/proc/1/ns/net -- iptables-save";
      const rules = await scripts.run(SCRIPT, ["sh", "-c", look]);
      match(rules, /mtu 1400/);
      const address = /-A CNI-FORWARD -s (10\.22\.\d+\.\d+)\/32 -j ACCEPT/.exec(rules)?.[1];
      match(rules, new RegExp(`--dport 8080 -j DNAT --to-destination ${address}:80`));
      return "tuning, firewall and portmap worked with it, DEL undid theirs";
    },
    "a configuration that fails says why": async () => {
      scripts.configure({ ...MYNET, ipam: { ...MYNET.ipam, subnet: "10.22.0.0/33" } });
      const { exitCode, stdout } = await scripts.outcome(SCRIPT, ["true"]);
      notEqual(exitCode, 0);
      match(stdout, /^mynet : error executing ADD: \{/m);
      match(stdout, /10\.22\.0\.0\/33/);
      equal(
        readdirSync("/run/netns").length,
        2,
        "namespaces: that outside, and the one that the script leaves",
      );
      await outputOf("for name in $(ls /run/netns); do [ $name = outside ] || ip netns delete $name; done");
      return "exit code, and the message with the value";
    },
    "priv-net-run.sh: no lease is left": async () => {
      scripts.configure();
      await scripts.run(SCRIPT, ["true"]);
      const kept = readdirSync(LEASES).filter((name) => /^[\d.]+$/.test(name));
      deepEqual(kept, []);
      equal(await outputOf("ip -j link show master cni0"), "[]\n");
      return "no lease, no port of cni0";
    },
  };
}
