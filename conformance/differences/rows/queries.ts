/** CHECK, STATUS and GC. */
import type { Bench } from "../../engine/bench.ts";
import { type JsonRecord, layer2, NOTES } from "../../engine/network.ts";
import { hostVeths, masqueraded } from "../../kernel-facts.ts";
import { add, type Difference, type Facts, ipam, network, whether } from "../difference.ts";

const MASQUERADED = network({
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: "iptables",
  portIsolation: true,
});

/** What a network has on the host. */
const standing = async (bench: Bench): Promise<Facts> => ({
  pairs: (await hostVeths(bench.host)).length,
  "masqueraded addresses": (await masqueraded(bench.host)).length,
  leases: bench.leases().length,
});

/** Losses, each alone: PORT is the host's end. The words are in a message that names the loss. */
const LOSSES = [
  ["nothing", "true", /^$/],
  ["masquerade rules", "iptables -t nat -F POSTROUTING", /masquerade rules/],
  ["gateway address", "ip addr del 10.1.0.1/24 dev cni0", /gateway address 10\.1\.0\.1/],
  ["isolation", "bridge link set dev PORT isolated off", /port isolation of/],
  ["the port's state", "ip link set PORT down", /is down/],
  [
    "two at once",
    "ip addr del 10.1.0.1/24 dev cni0; bridge link set dev PORT isolated off",
    /port isolation of.*gateway address/,
  ],
] as const;

export const QUERIES: readonly Difference[] = [
  {
    what: "GC",
    measure: async (bench) => {
      await add(bench, MASQUERADED);
      await add(bench, MASQUERADED, { container: "c2" });
      const list = [{ containerID: "id-c2", ifname: "eth0" }];
      const outcome = await bench.call("GC", { ...MASQUERADED, "cni.dev/valid-attachments": list });
      return { GC: whether(outcome), ...(await standing(bench)) };
    },
    shows: { GC: ["succeeds", "succeeds"], pairs: [2, 1], "masqueraded addresses": [2, 1], leases: [2, 1] },
  },
  {
    what: "GC without a list",
    measure: async (bench) => {
      await add(bench, MASQUERADED);
      return { GC: whether(await bench.call("GC", MASQUERADED)), ...(await standing(bench)) };
    },
    shows: { GC: ["succeeds", "fails"], pairs: [1, 1], "masqueraded addresses": [1, 1], leases: [1, 1] },
  },
  {
    what: "STATUS",
    measure: async (bench) => {
      const { host } = bench;
      const status = async (keys = {}) => whether(await bench.call("STATUS", network(keys)));
      const healthy = await status();
      await host.run("ip link add cni0 type veth peer name other0");
      const name = await status();
      await host.run("ip link del cni0 && mkdir -p /run/full && mount -n -t tmpfs -o ro tmpfs /run/full");
      const directory = await status({ ipam: ipam(["10.1.0.0/24"], { dataDir: "/run/full" }) });
      await host.run("umount /run/full");
      return { "of a healthy host": healthy, "cni0 is no bridge": name, "read-only directory": directory };
    },
    shows: {
      "of a healthy host": ["succeeds", "succeeds"],
      "cni0 is no bridge": ["succeeds", "fails"],
      "read-only directory": ["succeeds", "fails"],
    },
  },
  {
    what: "STATUS of an IPAM plugin that does not know STATUS",
    measure: async (bench) => {
      const older = `echo '{"code":4,"msg":"unknown CNI_COMMAND: '$CNI_COMMAND'"}'; exit 1`;
      bench.program(`${NOTES}/older`, `#!/bin/sh\n${older}\n`);
      const config = network({ ipam: { type: "older" } });
      const outcome = await bench.call("STATUS", config, { env: { CNI_PATH: NOTES } });
      return { STATUS: whether(outcome), "said on stderr": outcome.stderr.includes("older") };
    },
    shows: { STATUS: ["fails", "succeeds"], "said on stderr": [false, true] },
  },
  {
    what: "CHECK",
    measure: async (bench) => {
      const noticed: Record<string, string> = {};
      for (const [what, script, words] of LOSSES) {
        const result = await add(bench, MASQUERADED);
        const port = (await hostVeths(bench.host))[0]?.name ?? "";
        await bench.host.run(script.replace("PORT", port));
        const outcome = await bench.call("CHECK", { ...MASQUERADED, prevResult: result as JsonRecord });
        noticed[what] =
          outcome.exitCode === 0 ? "passes" : words.test(outcome.stdout) ? "named" : outcome.stdout;
        await bench.call("DEL", MASQUERADED);
        await bench.host.removeContainers();
        await bench.container("c1");
        await bench.host.run("ip link del cni0");
      }
      return noticed;
    },
    shows: {
      nothing: ["passes", "passes"],
      "masquerade rules": ["passes", "named"],
      "gateway address": ["passes", "named"],
      isolation: ["passes", "named"],
      "the port's state": ["passes", "named"],
      "two at once": ["passes", "named"],
    },
  },
  {
    what: "CHECK of a network without addresses",
    measure: async (bench) => {
      const config = layer2();
      const result = await add(bench, config);
      return {
        "CHECK after ADD": whether(
          await bench.call("CHECK", { ...config, prevResult: result as JsonRecord }),
        ),
      };
    },
    shows: { "CHECK after ADD": ["fails", "succeeds"] },
  },
];
