/** CHECK, STATUS and GC. */
import { hostVeths, masqueraded } from "../../kernel-facts.ts";
import type { Difference, Facts } from "../difference.ts";
import { ipam, leaseFiles, network, type Side, whether } from "../side.ts";

const MASQUERADED = network({
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: "iptables",
  portIsolation: true,
});

/** What a network has on the host. */
const standing = async ({ host }: Side): Promise<Facts> => ({
  pairs: (await hostVeths(host)).length,
  "masqueraded addresses": (await masqueraded(host)).length,
  leases: leaseFiles().length,
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
    withGo: "does nothing, and reports success",
    withOurs: "removes interfaces, rules and leases of containers that are not listed",
    why: "CRI-O and others rely on it",
    measure: async (side) => {
      await side.container("c1");
      await side.container("c2");
      await side.add(MASQUERADED);
      await side.add(MASQUERADED, { id: "c2" });
      const list = [{ containerID: "c2", ifname: "eth0" }];
      const outcome = await side.call("GC", { ...MASQUERADED, "cni.dev/valid-attachments": list });
      return { GC: whether(outcome), ...(await standing(side)) };
    },
    go: { GC: "succeeds", pairs: 2, "masqueraded addresses": 2, leases: 2 },
    ours: { GC: "succeeds", pairs: 1, "masqueraded addresses": 1, leases: 1 },
  },
  {
    what: "GC without a list",
    withGo: "as above: nothing, and success",
    withOurs: "an error, nothing is touched",
    why: "a list that is missing is not an empty list",
    measure: async (side) => {
      await side.container("c1");
      await side.add(MASQUERADED);
      return { GC: whether(await side.call("GC", MASQUERADED)), ...(await standing(side)) };
    },
    go: { GC: "succeeds", pairs: 1, "masqueraded addresses": 1, leases: 1 },
    ours: { GC: "fails", pairs: 1, "masqueraded addresses": 1, leases: 1 },
  },
  {
    what: "STATUS",
    withGo: "asks only the IPAM, whose answer is always yes",
    withOurs: "also says when the bridge's name, the firewall or the leases' directory cannot work",
    why: "the node reports it before a container fails; a full range is [not a failure](docs/host-local.md#commands)",
    measure: async (side) => {
      const { host } = side;
      const status = async (keys = {}) => whether(await side.call("STATUS", network(keys)));
      const healthy = await status();
      await host.run("ip link add cni0 type veth peer name other0");
      const name = await status();
      await host.run("ip link del cni0 && mkdir -p /run/full && mount -n -t tmpfs -o ro tmpfs /run/full");
      const directory = await status({ ipam: ipam(["10.1.0.0/24"], { dataDir: "/run/full" }) });
      await host.run("umount /run/full");
      return { "of a healthy host": healthy, "cni0 is no bridge": name, "read-only directory": directory };
    },
    go: {
      "of a healthy host": "succeeds",
      "cni0 is no bridge": "succeeds",
      "read-only directory": "succeeds",
    },
    ours: { "of a healthy host": "succeeds", "cni0 is no bridge": "fails", "read-only directory": "fails" },
  },
  {
    what: "STATUS of an IPAM plugin that does not know STATUS",
    withGo: "is a node that is not ready",
    withOurs: "is said on stderr",
    why: "IPAM plugins are older than CNI 1.1",
    measure: async (side) => {
      const older = `echo '{"code":4,"msg":"unknown CNI_COMMAND: '$CNI_COMMAND'"}'; exit 1`;
      const folder = side.ipamPlugin("older", older);
      const config = network({ ipam: { type: "older" } });
      const outcome = await side.call("STATUS", config, { path: folder });
      return { STATUS: whether(outcome), "said on stderr": outcome.stderr.includes("older") };
    },
    go: { STATUS: "fails", "said on stderr": false },
    ours: { STATUS: "succeeds", "said on stderr": true },
  },
  {
    what: "CHECK",
    withGo: "misses lost rules, gateway addresses and settings",
    withOurs: "names all losses, in one error",
    why: "a firewall reload wipes rules silently",
    measure: async (side) => {
      const noticed: Record<string, string> = {};
      for (const [what, script, words] of LOSSES) {
        await side.container("c1");
        const result = await side.add(MASQUERADED);
        const port = (await hostVeths(side.host))[0]?.name ?? "";
        await side.host.run(script.replace("PORT", port));
        const outcome = await side.check(MASQUERADED, result);
        noticed[what] =
          outcome.exitCode === 0 ? "passes" : words.test(outcome.stdout) ? "named" : outcome.stdout;
        await side.call("DEL", MASQUERADED);
        await side.host.removeNamespaces();
        await side.host.run("ip link del cni0");
      }
      return noticed;
    },
    go: {
      nothing: "passes",
      "masquerade rules": "passes",
      "gateway address": "passes",
      isolation: "passes",
      "the port's state": "passes",
      "two at once": "passes",
    },
    ours: {
      nothing: "passes",
      "masquerade rules": "named",
      "gateway address": "named",
      isolation: "named",
      "the port's state": "named",
      "two at once": "named",
    },
  },
  {
    what: "CHECK of a network without addresses",
    withGo: "always fails",
    withOurs: "works",
    why: "",
    measure: async (side) => {
      const config = network({ ipam: undefined });
      await side.container("c1");
      const result = await side.add(config);
      return { "CHECK after ADD": whether(await side.check(config, result)) };
    },
    go: { "CHECK after ADD": "fails" },
    ours: { "CHECK after ADD": "succeeds" },
  },
];
