/**
 * npm run bench: whole processes side by side with the reference, in turns, each side in a scratch host of its own.
 *
 *   npm run bench                    all cases; writes the plots and the tables of docs/performance.md and README
 *   npm run bench -- quick           fewer rounds, within two minutes
 *   npm run bench -- CASE...         only these; prints, and writes nothing
 *   npm run bench -- --bin DIR       the plugins in DIR, without a build; --compact DIR the same for the compact file
 *   npm run bench -- --rounds N      so many rounds in each case, however long they take
 *   npm run bench -- --minutes N     all cases in about so many, instead of 25: with fewer rounds where time is short
 *   npm run bench -- --nice=-20      before others, on a machine that has other work; prints, and writes nothing
 *   npm run bench -- --list          the names of the cases
 *   npm run bench -- limits          memory, and the least of it: prints the tables of docs/security.md
 *   npm run bench -- instructions    those that each call executes, beside the recorded ones; --write records them
 *
 * Ends with exit code 0 whatever the figures are: speed is no test. 1 means that something failed. A case that fails does
 * not stop the others: what it would have measured is missing in the tables.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { REFERENCE_VERSION } from "../conformance/reference.ts";
import { outcomeOf, outputOf } from "../test/support/command.ts";
import { whyNotIsolated } from "../test/support/isolation.ts";
import { judgeAims } from "./aims.ts";
import { type BenchCase, sidesOf } from "./case.ts";
import { CASES } from "./cases/all.ts";
import { BenchHost } from "./host.ts";
import { countInstructions } from "./instructions.ts";
import { measureLimits } from "./limits/limits.ts";
import { measure } from "./measure.ts";
import { type Built, CACHE, type Programs, providePrograms, withCopies } from "./programs.ts";
import { formatAims, formatCase, type MeasuredCase } from "./report.ts";
import { conditionsNow, writeResults } from "./results.ts";

const { values: options, positionals } = parseArgs({
  options: {
    bin: { type: "string" },
    compact: { type: "string" },
    rounds: { type: "string" },
    minutes: { type: "string", default: "25" },
    nice: { type: "string" },
    list: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
  allowPositionals: true,
});

if (positionals.length === 1 && positionals[0] === "limits") {
  if (options.bin === undefined)
    await outcomeOf([process.execPath, "build.ts"], { cwd: join(import.meta.dir, "..") });
  await measureLimits(resolve(options.bin ?? join(import.meta.dir, "../dist/bin")), CACHE);
  process.exit();
}
const built: Built = {
  ...(options.bin === undefined ? {} : { bun: options.bin }),
  ...(options.compact === undefined ? {} : { compact: options.compact }),
};
const instructions = positionals.length === 1 && positionals[0] === "instructions";
const quick = positionals.includes("quick");
const wanted = positionals.filter((word) => word !== "quick" && !instructions);
const unknown = wanted.filter((name) => !CASES.some((known) => known.name === name));
if (options.list || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no case ${unknown.join(", ")}; there is:`);
  for (const { name, title } of CASES) console.log(`${name.padEnd(20)}${title}`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
const positive = (name: "rounds" | "minutes", text: string): number => {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${name} takes a positive number, not ${text}`);
  process.exit(2);
};
const rounds = options.rounds === undefined ? undefined : positive("rounds", options.rounds);
const minutes = positive("minutes", options.minutes);

/**
 * What the kernel and the disk have yet to do for hosts that came and went must not reach into a measurement. The
 * kernel takes network namespaces down in their order: when one that was given up now is gone, so are all before.
 */
async function settled(programs: Programs): Promise<void> {
  // A file that is in memory page by page makes a call slower than one that was read in pieces: all are read alike.
  const { plugins, floor } = programs;
  const script =
    'find "$@" -type f | while read -r f; do dd if="$f" iflag=nocache count=0 status=none; cat "$f"; done';
  await outputOf(["/bin/sh", "-ec", `{ ${script}; } >/dev/null`, "read", ...Object.values(plugins), floor]);
  await using host = await BenchHost.open("settle", [programs.launcher], disk, [CACHE]);
  await host.script(`ip netns add last
    ip link add here type veth peer name there netns last
    ip netns delete last
    n=0
    while [ -e /sys/class/net/here ]; do
      n=$((n + 1))
      [ $n -lt 6000 ] || exit 1
      sleep 0.01
    done
    sync -f ${CACHE}`);
}

/** The disks of this run's hosts. A run that was killed leaves its own. */
const disk = join(CACHE, `hosts-${process.pid}`);
for (const name of existsSync(CACHE) ? readdirSync(CACHE) : []) {
  const [, pid] = /^hosts-(\d+)$/.exec(name) ?? [];
  if (pid !== undefined && !existsSync(`/proc/${pid}`))
    rmSync(join(CACHE, name), { recursive: true, force: true });
}

/**
 * What it starts has its priority, and that counts among sessions, where the kernel groups processes by these. Not for
 * figures that are shown: what the kernel does in processes of its own keeps its priority.
 */
function launcherOf({ launcher }: Programs): [string, ...string[]] {
  if (options.nice === undefined) return [launcher];
  const script =
    'if [ -w /proc/self/autogroup ]; then echo "$1" >/proc/self/autogroup; fi; exec nice -n "$1" "$2"';
  return ["setsid", "/bin/sh", "-c", script, "launcher", options.nice, launcher];
}

/** `until` is when the time of the case is over. */
async function runCase(benchCase: BenchCase, programs: Programs, until: number): Promise<MeasuredCase> {
  await using hosts = new AsyncDisposableStack();
  const host = async (name: string) =>
    hosts.use(
      await BenchHost.open(`${benchCase.name}-${name}`, launcherOf(programs), disk, [
        ...[...Object.values(programs.plugins), CACHE],
      ]),
    );
  const contenders = await benchCase.open({ programs, quick, host });
  await settled(programs);
  const count = rounds ?? (quick ? benchCase.quickRounds : benchCase.rounds);
  const censuses = benchCase.census !== true ? 0 : quick ? 1 : 3;
  const series = await measure(contenders, {
    ...{ rounds: count, censuses },
    ...(rounds === undefined && !quick ? { until } : {}),
  });
  const taken = Math.max(...series.map(({ wall }) => wall.length));
  return { name: benchCase.name, title: benchCase.title, rounds: taken, series };
}

/** What is measured: the commit, with "-dirty" when files differ from it. */
async function revision(): Promise<string> {
  if (options.bin !== undefined || options.compact !== undefined) return "built elsewhere";
  const described = await outcomeOf(["git", "describe", "--always", "--dirty"], { cwd: import.meta.dir });
  return described.exitCode === 0 ? described.stdout.trim() : "of unknown revision";
}

async function runInstructions(): Promise<void> {
  if (process.arch !== "x64") throw new Error(`instructions are counted on x64, and this is ${process.arch}`);
  const programs = await providePrograms(built, console.log, { valgrind: "valgrind" });
  const visible = [...Object.values(programs.plugins), CACHE];
  await countInstructions(sidesOf(programs, "without copies"), options.write, (side) =>
    BenchHost.open(`instructions-${side}`, launcherOf(programs), disk, visible),
  );
}

async function main(): Promise<void> {
  const cause = await whyNotIsolated();
  if (cause !== undefined) throw new Error(`cannot measure: ${cause}`);
  if (instructions) return runInstructions();
  const programs = await withCopies(await providePrograms(built, console.log));
  const selected = CASES.filter(({ name, fullOnly }) =>
    wanted.length > 0 ? wanted.includes(name) : !(quick && fullOnly === true),
  );
  const conditions = conditionsNow(quick ? "quick" : "full", {
    bridgehead: await revision(),
    reference: REFERENCE_VERSION,
    cpuid: Number(await outputOf([programs.cpuid])),
  });
  console.log(`a CPUID takes ${conditions.cpuid} µs here`);
  if (conditions.load > conditions.processors / 2) {
    console.log(`this machine is busy (load ${conditions.load}): figures will be too high, and spread`);
  }
  const measured: MeasuredCase[] = [];
  const end = performance.now() + minutes * 60_000;
  for (const [index, benchCase] of selected.entries()) {
    const start = performance.now();
    const seconds = selected.slice(index).reduce((sum, each) => sum + each.seconds, 0);
    try {
      const until = start + ((end - start) * benchCase.seconds) / seconds;
      const result = await runCase(benchCase, programs, until);
      measured.push(result);
      for (const line of formatCase(result)) console.log(line);
    } catch (error) {
      console.error(`case ${benchCase.name} failed: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
    console.log(`(${((performance.now() - start) / 1000).toFixed(1)} s)`);
  }
  for (const line of formatAims(judgeAims(measured))) console.log(line);
  if (wanted.length > 0 || options.nice !== undefined) return;
  for (const file of writeResults(conditions, measured)) console.log(`wrote ${file}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(disk, { recursive: true, force: true });
}
