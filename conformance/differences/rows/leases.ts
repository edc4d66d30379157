/** host-local: its files, its lock, its cost. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { PluginOutcome } from "../../../test/support/plugin-call.ts";
import type { Difference } from "../difference.ts";
import { endOf, ipam, leaseFiles, network, type Side, whether } from "../side.ts";

const FOLDER = "/var/lib/cni/networks/net";

const LOG = "/run/trace";

/** ADD of host-local under strace with these options. */
const traced = (side: Side, options: readonly string[]): Promise<PluginOutcome> =>
  side.call("ADD", network(), { plugin: "host-local", under: ["strace", "-f", "-o", LOG, ...options] });

export const LEASES: readonly Difference[] = [
  {
    what: "a crash while a lease is written",
    withGo: "an empty file stays, and holds the address",
    withOurs: "a lease is there as a whole or not at all",
    why: "",
    measure: async (side) => {
      const kept = new Set<string>();
      await side.container("c1");
      for (let call = 1, killed = true; killed; call++) {
        const { exitCode } = await traced(side, ["-e", `inject=write:signal=SIGKILL:when=${call}`]);
        killed = exitCode !== 0;
        for (const name of leaseFiles())
          kept.add(statSync(`${FOLDER}/${name}`).size === 0 ? "an empty file" : "a whole lease");
        await side.host.run(`rm -rf ${FOLDER}`);
      }
      return { "kept by a kill at any write": [...kept].sort() };
    },
    go: { "kept by a kill at any write": ["a whole lease", "an empty file"] },
    ours: { "kept by a kill at any write": ["a whole lease"] },
  },
  {
    what: "many leases",
    withGo: "each ADD opens every file",
    withOurs: "an ADD opens none but its own",
    why: "large nodes",
    measure: async (side) => {
      await side.container("c1");
      mkdirSync(FOLDER, { recursive: true });
      const full = 200;
      for (let last = 0; last < full; last++)
        writeFileSync(`${FOLDER}/10.1.0.${last + 3}`, `other${last}\r\neth0`);
      // The first ADD after another program's changes may read them.
      await side.call("ADD", network(), { plugin: "host-local", id: "before" });
      const { exitCode } = await traced(side, ["-e", "trace=openat"]);
      const trace = readFileSync(LOG, "utf8");
      const opened = new Set(
        [...trace.matchAll(/openat\([^"]*"([^"]*\/10\.1\.0\.\d+)"/g)].map(([, path]) => path),
      );
      return {
        leases: full,
        ADD: exitCode === 0 ? "succeeds" : "fails",
        "lease files opened": opened.size,
      };
    },
    go: { leases: 200, ADD: "succeeds", "lease files opened": 202 },
    ours: { leases: 200, ADD: "succeeds", "lease files opened": 0 },
  },
  {
    what: "the lock of the leases",
    withGo: "is waited for (40 seconds measured)",
    withOurs: "ADD gives up after a time, and names the holder",
    why: "one stuck process blocked all others",
    measure: async (side) => {
      await side.container("c1");
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(`${FOLDER}/lock`, "", { mode: 0o600 });
      const holder = Bun.spawn(["flock", "--no-fork", `${FOLDER}/lock`, "sh", "-c", "echo held; read _"], {
        stdin: "pipe",
        stdout: "pipe",
      });
      try {
        for await (const _ of holder.stdout) break;
        const options = { plugin: "host-local", timeout: 40_000 };
        const { exitCode, stdout } = await side.call("ADD", network(), options);
        return {
          "answers within 40 s": exitCode === 1,
          "names the holder": stdout.includes(String(holder.pid)),
        };
      } finally {
        holder.kill();
        await holder.exited;
      }
    },
    go: { "answers within 40 s": false, "names the holder": false },
    ours: { "answers within 40 s": true, "names the holder": true },
  },
  {
    what: "an empty file in the leases",
    withGo: "holds its address",
    withOurs: "is not a lease",
    why: "what a crash of the Go plugin leaves",
    measure: async (side) => {
      await side.container("c1");
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(`${FOLDER}/10.1.0.2`, "");
      const { ips } = await side.add(network());
      return { address: ips?.[0]?.address ?? "" };
    },
    go: { address: "10.1.0.3/24" },
    ours: { address: "10.1.0.2/24" },
  },
  {
    what: "`rangeStart` at the network address, `rangeEnd` at the broadcast address",
    withGo: "both are handed out",
    withOurs: "neither is",
    why: "",
    measure: async (side) => {
      await side.container("c1");
      const range = { subnet: "10.1.0.0/30", rangeStart: "10.1.0.0", rangeEnd: "10.1.0.3" };
      const config = network({ ipam: { type: "host-local", ranges: [[range]] } });
      for (const id of ["c1", "c2", "c3"]) await side.call("ADD", config, { plugin: "host-local", id });
      return { "addresses of three ADDs": leaseFiles() };
    },
    go: { "addresses of three ADDs": ["10.1.0.0", "10.1.0.2", "10.1.0.3"] },
    ours: { "addresses of three ADDs": ["10.1.0.2"] },
  },
  {
    what: "DEL after the ranges of the configuration were changed to wrong ones",
    withGo: "fails, the lease stays",
    withOurs: "releases by container and interface",
    why: "",
    measure: async (side) => {
      await side.container("c1");
      await side.add(network());
      const changed = network({ ipam: ipam(["10.1.0.7/24"]) });
      return { DEL: whether(await side.call("DEL", changed)), "leases left": leaseFiles().length };
    },
    go: { DEL: "fails", "leases left": 1 },
    ours: { DEL: "succeeds", "leases left": 0 },
  },
  {
    what: "`IP=` in `CNI_ARGS` beside `args.cni.ips`",
    withGo: "both are wanted, of one range: an error",
    withOurs: "`args.cni.ips` takes the place of `IP=`",
    why: "the convention of CNI says so",
    measure: async (side) => {
      await side.container("c1");
      const config = network({ args: { cni: { ips: ["10.1.0.7"] } } });
      const options = { plugin: "host-local", args: "IP=10.1.0.8" };
      const outcome = await side.call("ADD", config, options);
      return { ADD: whether(outcome), leases: leaseFiles() };
    },
    go: { ADD: "fails", leases: [] },
    ours: { ADD: "succeeds", leases: ["10.1.0.7"] },
  },
  {
    what: "`IP=` and `MAC=` in `CNI_ARGS`",
    withGo: "each plugin refuses the other's",
    withOurs: "both are accepted",
    why: "nerdctl sends them",
    measure: async (side) => {
      await side.container("c1");
      const by = async (plugin: string, id: string, args: string) =>
        endOf(await side.call("ADD", network(), { plugin, id, args })).replace(/: .*unknown/, ": unknown");
      return {
        "host-local with a MAC": await by("host-local", "c2", "MAC=02:00:00:00:00:09"),
        "bridge with both": await by("bridge", "c1", "IP=10.1.0.9;MAC=02:00:00:00:00:09"),
      };
    },
    go: {
      "host-local with a MAC": 'fails: unknown args ["MAC=02:00:00:00:00:09"]',
      "bridge with both": 'fails: unknown args ["IP=10.1.0.9"]',
    },
    ours: { "host-local with a MAC": "succeeds", "bridge with both": "succeeds" },
  },
];
