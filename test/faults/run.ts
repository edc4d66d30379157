/**
 * npm run faults: kills the built plugins, lets their system calls fail, and floods them, on scratch hosts; then looks
 * whether anything was left behind or anybody disturbed. docs/faults.md says what is swept.
 *
 *   npm run faults                    all parts, about 20 minutes on two processors
 *   npm run faults -- NAME...         only these: kill, errors, storm, chain, fuzz; compare and memory, which only run when named
 *   npm run faults -- --long          every point and more operations, without a limit of time
 *   npm run faults -- --minutes N     this long for each part
 *   npm run faults -- --seed N        with the random choices of an earlier run
 *   npm run faults -- --case TEXT     of kill and errors, only cases that are called so: "nftables: ADD, bridge EIO"
 *   npm run faults -- --bin DIR       the programs in DIR, without a build
 *   npm run faults -- compare --with DIR   what those in DIR do, beside them; dist/compact if left out
 *
 * The last line is "N passed, N failed": cases that went as they must, and things found.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { outcomeOf } from "../support/command.ts";
import { whyNotIsolated } from "../support/isolation.ts";
import { JOB_LIMIT } from "../support/limits.ts";
import { provideTools } from "../support/tools.ts";
import type { FaultPart } from "./part.ts";

const HERE = import.meta.dir;
const PROJECT = dirname(dirname(HERE));

/** In the order in which they run, with the minutes that each may take. */
const PARTS: readonly { name: string; minutes: number; onlyNamed?: true }[] = [
  { name: "kill", minutes: 4 },
  { name: "errors", minutes: 4 },
  { name: "storm", minutes: 3.5 },
  { name: "chain", minutes: 3.5 },
  { name: "fuzz", minutes: 3.5 },
  { name: "compare", minutes: 3.5, onlyNamed: true },
  { name: "memory", minutes: 3.5, onlyNamed: true },
];

/** Milliseconds for a part with --long. */
const LONGEST = 6 * 3_600_000;

const { values: options, positionals: wanted } = parseArgs({
  options: {
    bin: { type: "string" },
    case: { type: "string", default: "" },
    long: { type: "boolean", default: false },
    minutes: { type: "string" },
    seed: { type: "string" },
    with: { type: "string" },
  },
  allowPositionals: true,
});

const unknown = wanted.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0)
  refuse(`no part ${unknown.join(", ")}: there is ${PARTS.map(({ name }) => name).join(", ")}`);
const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(options.seed);
if (!Number.isSafeInteger(seed)) refuse(`invalid seed ${JSON.stringify(options.seed)}: give a whole number`);

const given = options.minutes === undefined ? undefined : Number(options.minutes);
if (given !== undefined && !(given > 0))
  refuse(`invalid number of minutes ${JSON.stringify(options.minutes)}: give one above 0`);

await provideTools(["bridge", "ip", "nft", "nsenter", "ping", "strace", "unshare"], console.log).catch(
  (error) => refuse(error.message),
);
const obstacle = await whyNotIsolated();
if (obstacle !== undefined) refuse(obstacle);

const binaries = options.bin === undefined ? join(PROJECT, "dist/bin") : resolve(options.bin);
if (options.bin === undefined) {
  const build = await outcomeOf([process.execPath, "build.ts"], { cwd: PROJECT, timeout: JOB_LIMIT });
  if (build.exitCode !== 0) {
    console.log(`${build.stdout}${build.stderr}FAILED: build\n0 passed, 1 failed`);
    process.exit(1);
  }
} else if (!existsSync(join(binaries, "bridge"))) refuse(`no bridge in ${binaries}`);
const other = resolve(options.with ?? join(PROJECT, "dist/compact"));
if (wanted.includes("compare") && !existsSync(join(other, "bridge")))
  refuse(`no bridge in ${other}: npm run build -- --compact, or --with DIR`);
const cache = join(PROJECT, "conformance/.cache");
mkdirSync(cache, { recursive: true });

console.log(`seed ${seed}; the same again: npm run faults -- --seed ${seed}`);
let passed = 0;
const failures: string[] = [];
for (const { name, minutes, onlyNamed } of PARTS) {
  if (wanted.length > 0 ? !wanted.includes(name) : onlyNamed) continue;
  const start = performance.now();
  try {
    const part = ((await import(`./${name}.ts`)) as { default: FaultPart }).default;
    console.log(`== ${name}: ${part.title}`);
    const { tried, found, figures } = await part.run({
      binaries,
      other,
      cache,
      seed,
      long: options.long,
      only: options.case,
      until: (share = 1) => start + share * (options.long ? LONGEST : (given ?? minutes) * 60_000),
      say: (line) => console.log(line),
    });
    for (const line of figures) console.log(line);
    passed += Math.max(0, tried - found.length);
    failures.push(...found.map((what) => `${name}: ${what}`));
    if (tried === 0) failures.push(`${name}: nothing was tried`);
    console.log(`${name}: ${tried} tried, ${found.length} found, ${seconds(start)} s`);
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    console.log(`${name}: could not run, ${seconds(start)} s`);
  }
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);

function refuse(why: string): never {
  console.error(why);
  process.exit(2);
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
