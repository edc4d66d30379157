/**
 * What a lease costs beside 10, 100, 1,000 and 10,000 others (rule L6).
 *
 *   bun bench/leases.ts                     in-process, the built file, and the reference if it is found
 *   bun bench/leases.ts --rounds 50         more calls for each figure
 *   bun bench/leases.ts --sync              what the durability of a lease costs on this disk
 *   TMPDIR=/some/disk bun bench/leases.ts   on another disk
 *
 * The reference is taken from BRIDGEHEAD_REFERENCE_DIR, else from /usr/lib/cni. Figures are medians in milliseconds;
 * the sizes take turns, so that what disturbs the machine disturbs all of them. The last column is the ratio of the
 * figure at the most leases to that at the fewest.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { outcomeOf } from "../test/support/command.ts";
import { hostLocalOn, networkOf } from "../test/support/host-local-call.ts";
import { builtBinaries } from "../test/support/plugin-call.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "30" }, sync: { type: "boolean", default: false } },
});
const rounds = Number(options.rounds);
const SIZES = [10, 100, 1_000, 10_000];
const COMMANDS = ["ADD", "CHECK", "DEL"] as const;
type Command = (typeof COMMANDS)[number];
type Caller = (command: Command, config: object, containerId: string) => Promise<void>;

const folder = mkdtempSync(join(tmpdir(), "bridgehead-bench-"));

/** Ranges, and how the n-th lease in them is called. */
const LAYOUTS = [
  {
    name: "/16",
    ipam: () => ({ ranges: [[{ subnet: "10.0.0.0/16" }]] }),
    address: (n: number) => `10.0.${(n + 2) >> 8}.${(n + 2) & 255}`,
  },
  {
    name: "/64",
    ipam: () => ({ ranges: [[{ subnet: "fd00::/64" }]] }),
    address: (n: number) => `fd00::${(n + 2).toString(16)}`,
  },
  {
    name: "nearly full",
    // Five addresses are free, right behind the last lease; the hint points in front of all leases.
    ipam: (size: number) => {
      const last = size + 6;
      return { ranges: [[{ subnet: "10.0.0.0/16", rangeEnd: `10.0.${last >> 8}.${last & 255}` }]] };
    },
    address: (n: number) => `10.0.${(n + 2) >> 8}.${(n + 2) & 255}`,
  },
] as const;

type Layout = (typeof LAYOUTS)[number];

/** A directory with that many leases, as any host-local would have left it. */
function populate(layout: Layout, size: number, name: string): object {
  const dataDir = join(folder, name, layout.name.replace(/\W/g, "-"), String(size));
  const network = join(dataDir, "net");
  mkdirSync(network, { recursive: true });
  for (let n = 0; n < size; n++) {
    const id = Bun.hash(String(n)).toString(16).padStart(64, "0");
    writeFileSync(join(network, layout.address(n)), `${id}\r\neth0`, { mode: 0o600 });
  }
  const hint = layout.name === "nearly full" ? layout.address(0) : layout.address(size - 1);
  writeFileSync(join(network, "last_reserved_ip.0"), hint);
  return networkOf(dataDir, layout.ipam(size));
}

const inProcess: Caller = async (command, config, containerId) => {
  const call = { config, containerId, netns: "/proc/self/ns/net" };
  const plugin = hostLocalOn();
  await { ADD: plugin.add, CHECK: plugin.check, DEL: plugin.del }[command](call);
};

const executable =
  (path: string): Caller =>
  async (command, config, containerId) => {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/nowhere",
      CNI_PATH: "/nowhere",
    };
    const outcome = await outcomeOf([path], { env, stdin: JSON.stringify(config) });
    if (outcome.exitCode !== 0) throw new Error(`${command} failed: ${outcome.stdout}${outcome.stderr}`);
  };

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function measure(title: string, caller: Caller): Promise<void> {
  for (const layout of LAYOUTS) {
    const figures = SIZES.map((size) => ({
      config: populate(layout, size, title.replace(/\W/g, "-")),
      times: { ADD: [] as number[], CHECK: [] as number[], DEL: [] as number[] },
    }));
    for (let round = -2; round < rounds; round++) {
      for (const { config, times } of figures) {
        for (const command of COMMANDS) {
          const start = performance.now();
          await caller(command, config, `bench-${round}`);
          // The first rounds warm up: they make the index, and wake what sleeps.
          if (round >= 0) times[command].push(performance.now() - start);
        }
      }
    }
    for (const command of COMMANDS) {
      const medians = figures.map(({ times }) => median(times[command]));
      const ratio = (medians.at(-1) ?? Number.NaN) / (medians[0] ?? Number.NaN);
      const columns = medians.map((value) => value.toFixed(3).padStart(9)).join("");
      console.log(
        `${title.padEnd(14)}${layout.name.padEnd(12)}${command.padEnd(6)}${columns}  x${ratio.toFixed(2)}`,
      );
    }
  }
}

async function measureLeases(): Promise<void> {
  console.log(
    `${"".padEnd(32)}${SIZES.map((size) => String(size).padStart(9)).join("")}  leases; ms, median of ${rounds}`,
  );
  await measure("in-process", inProcess);
  const built = join(builtBinaries(), "host-local");
  if (existsSync(built)) await measure("bridgehead", executable(built));
  else console.log(`no ${built}: npm run build`);
  const reference = join(process.env.BRIDGEHEAD_REFERENCE_DIR ?? "/usr/lib/cni", "host-local");
  if (existsSync(reference)) await measure("reference", executable(reference));
  else console.log(`no ${reference}: set BRIDGEHEAD_REFERENCE_DIR`);
}

/** The steps that make a lease durable, each on its own, as ADD does them. */
async function measureSync(): Promise<void> {
  const { closeSync, fsyncSync, linkSync, openSync, writeSync } = await import("node:fs");
  const steps = {
    "write a file": [] as number[],
    "sync it": [] as number[],
    "link it": [] as number[],
    "sync the directory": [] as number[],
  };
  const directory = openSync(folder, "r");
  for (let round = 0; round < rounds; round++) {
    const time = (step: keyof typeof steps, action: () => void) => {
      const start = performance.now();
      action();
      steps[step].push(performance.now() - start);
    };
    let fd = -1;
    const path = join(folder, `file-${round}`);
    time("write a file", () => {
      fd = openSync(path, "wx", 0o600);
      writeSync(fd, "0123456789abcdef\r\neth0");
    });
    time("sync it", () => fsyncSync(fd));
    time("link it", () => linkSync(path, join(folder, `10.0.0.${round}`)));
    time("sync the directory", () => fsyncSync(directory));
    closeSync(fd);
  }
  closeSync(directory);
  for (const [step, times] of Object.entries(steps))
    console.log(`${step.padEnd(20)}${median(times).toFixed(3)} ms`);
}

try {
  await (options.sync ? measureSync() : measureLeases());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
