/** host-local: its files, its lock, its cost. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { Answer } from "../../engine/answer.ts";
import type { Bench } from "../../engine/bench.ts";
import { LEASES, type PluginName } from "../../engine/network.ts";
import { add, type Difference, endOf, ipam, network, whether } from "../difference.ts";

const LOG = "/run/trace";

/** ADD of host-local under strace with these options. */
const traced = (bench: Bench, options: readonly string[]): Promise<Answer> =>
  bench.call("ADD", network(), { plugin: "host-local", through: ["strace", "-f", "-o", LOG, ...options] });

export const LEASE_ROWS: readonly Difference[] = [
  {
    what: "a crash while a lease is written",
    measure: async (bench) => {
      const kept = new Set<string>();
      for (let call = 1, killed = true; killed; call++) {
        const { exitCode } = await traced(bench, ["-e", `inject=write:signal=SIGKILL:when=${call}`]);
        killed = exitCode !== 0;
        for (const name of bench.leases())
          kept.add(statSync(`${LEASES}/${name}`).size === 0 ? "an empty file" : "a whole lease");
        await bench.host.run(`rm -rf ${LEASES}`);
      }
      return { "kept by a kill at any write": [...kept].sort() };
    },
    shows: { "kept by a kill at any write": [["a whole lease", "an empty file"], ["a whole lease"]] },
  },
  {
    what: "many leases",
    measure: async (bench) => {
      mkdirSync(LEASES, { recursive: true });
      const full = 200;
      for (let last = 0; last < full; last++)
        writeFileSync(`${LEASES}/10.1.0.${last + 3}`, `other${last}\r\neth0`);
      // The first ADD after another program's changes may read them. The next one finds a long row of held addresses before it.
      await bench.call("ADD", network(), { plugin: "host-local", id: "before" });
      const { exitCode } = await traced(bench, ["-e", "trace=openat"]);
      const trace = readFileSync(LOG, "utf8");
      const opened = new Set(
        [...trace.matchAll(/openat\([^"]*"([^"]*\/10\.1\.0\.\d+)"/g)].map(([, path]) => path),
      );
      return { leases: full, ADD: exitCode === 0 ? "succeeds" : "fails", "lease files opened": opened.size };
    },
    shows: { leases: [200, 200], ADD: ["succeeds", "succeeds"], "lease files opened": [202, 8] },
  },
  {
    what: "the lock of the leases",
    slow: true,
    measure: async (bench) => {
      mkdirSync(LEASES, { recursive: true });
      writeFileSync(`${LEASES}/lock`, "", { mode: 0o600 });
      const holder = Bun.spawn(["flock", "--no-fork", `${LEASES}/lock`, "sh", "-c", "echo held; read _"], {
        stdin: "pipe",
        stdout: "pipe",
      });
      try {
        for await (const _ of holder.stdout) break;
        const options = { plugin: "host-local", limit: 40_000 } as const;
        const { exitCode, stdout } = await bench.call("ADD", network(), options);
        return {
          "answers within 40 s": exitCode === 1,
          "names the holder": stdout.includes(String(holder.pid)),
        };
      } finally {
        holder.kill();
        await holder.exited;
      }
    },
    shows: { "answers within 40 s": [false, true], "names the holder": [false, true] },
  },
  {
    what: "an empty file in the leases",
    measure: async (bench) => {
      mkdirSync(LEASES, { recursive: true });
      writeFileSync(`${LEASES}/10.1.0.2`, "");
      const { ips } = await add(bench, network());
      return { address: ips?.[0]?.address ?? "" };
    },
    shows: { address: ["10.1.0.3/24", "10.1.0.2/24"] },
  },
  {
    what: "`rangeStart` at the network address, `rangeEnd` at the broadcast address",
    measure: async (bench) => {
      const range = { subnet: "10.1.0.0/30", rangeStart: "10.1.0.0", rangeEnd: "10.1.0.3" };
      const config = network({ ipam: { type: "host-local", ranges: [[range]] } });
      for (const id of ["c1", "c2", "c3"]) await bench.call("ADD", config, { plugin: "host-local", id });
      return { "addresses of three ADDs": bench.leases() };
    },
    shows: { "addresses of three ADDs": [["10.1.0.0", "10.1.0.2", "10.1.0.3"], ["10.1.0.2"]] },
  },
  {
    what: "DEL after the ranges of the configuration were changed to wrong ones",
    measure: async (bench) => {
      await add(bench, network());
      const changed = network({ ipam: ipam(["10.1.0.7/24"]) });
      return { DEL: whether(await bench.call("DEL", changed)), "leases left": bench.leases().length };
    },
    shows: { DEL: ["fails", "succeeds"], "leases left": [1, 0] },
  },
  {
    what: "`IP=` in `CNI_ARGS` beside `args.cni.ips`",
    measure: async (bench) => {
      const config = network({ args: { cni: { ips: ["10.1.0.7"] } } });
      const options = { plugin: "host-local", env: { CNI_ARGS: "IP=10.1.0.8" } } as const;
      const outcome = await bench.call("ADD", config, options);
      return { ADD: whether(outcome), leases: bench.leases() };
    },
    shows: { ADD: ["fails", "succeeds"], leases: [[], ["10.1.0.7"]] },
  },
  {
    what: "`IP=` and `MAC=` in `CNI_ARGS`",
    measure: async (bench) => {
      const by = async (plugin: PluginName, id: string, CNI_ARGS: string) =>
        endOf(await bench.call("ADD", network(), { plugin, id, env: { CNI_ARGS } })).replace(
          /: .*unknown/,
          ": unknown",
        );
      return {
        "host-local with a MAC": await by("host-local", "c2", "MAC=02:00:00:00:00:09"),
        "bridge with both": await by("bridge", "c1", "IP=10.1.0.9;MAC=02:00:00:00:00:09"),
      };
    },
    shows: {
      "host-local with a MAC": ['fails: unknown args ["MAC=02:00:00:00:00:09"]', "succeeds"],
      "bridge with both": ['fails: unknown args ["IP=10.1.0.9"]', "succeeds"],
    },
  },
];
