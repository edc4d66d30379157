/** With how little of what the system limits a call still works, found by halving. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { network } from "./cases.ts";
import { type Plugins, sh } from "./plugins.ts";

export interface Limit {
  readonly name: string;
  readonly unit: string;
  /** Bytes, or a number, of a limit that surely works, and how close the answer shall come. */
  readonly most: number;
  readonly step: number;
  /** What goes in front of the program to give it so much; undefined where this machine cannot. */
  wrap(value: number): readonly string[] | undefined;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const rlimit = (option: string) => (value: number) => ["prlimit", `--${option}=${value}`];

/** Where control groups are mounted here: a scratch host has none of its own. Empty where it cannot be done. */
const GROUPS = "/run/groups";
const GROUP = `${GROUPS}/bridgehead-limits-${process.pid}`;

/** The file that takes the limit, of version 1 or 2. */
function limitFile(): string | undefined {
  const file = () => ["memory.limit_in_bytes", "memory.max"].find((name) => existsSync(`${GROUP}/${name}`));
  if (file() !== undefined) return file();
  mkdirSync(GROUPS, { recursive: true });
  for (const type of ["cgroup -o memory", "cgroup2"]) {
    try {
      sh(`mount -t ${type} none ${GROUPS} && mkdir ${GROUP}`);
      if (file() !== undefined) return file();
    } catch {
      // The other version has the controller, or this machine gives none.
    }
  }
  return undefined;
}

/** A control group with so much memory. */
function inGroup(bytes: number): readonly string[] | undefined {
  const file = limitFile();
  if (file === undefined) return undefined;
  writeFileSync(`${GROUP}/${file}`, String(bytes));
  return ["/bin/sh", "-c", `echo $$ >${GROUP}/cgroup.procs; exec "$0" "$@"`];
}

export const LIMITS: readonly Limit[] = [
  { name: "RLIMIT_AS", unit: "MiB", most: 16 * KIB * MIB, step: 32 * MIB, wrap: rlimit("as") },
  { name: "RLIMIT_DATA", unit: "MiB", most: 16 * KIB * MIB, step: 32 * MIB, wrap: rlimit("data") },
  { name: "RLIMIT_STACK", unit: "KiB", most: 8 * MIB, step: 16 * KIB, wrap: rlimit("stack") },
  { name: "RLIMIT_NOFILE", unit: "", most: 64, step: 1, wrap: rlimit("nofile") },
  { name: "memory of the control group", unit: "MiB", most: 256 * MIB, step: MIB, wrap: inGroup },
];

/** The row of a limit. */
export function smallestThatWorks(limit: Limit, plugins: Plugins): string {
  const least = (works: (wrap: readonly string[]) => boolean): string => {
    let [fails, works_] = [0, limit.most];
    while (works_ - fails > limit.step) {
      const middle = Math.floor((fails + works_) / 2);
      const wrap = limit.wrap(middle);
      if (wrap === undefined) return "–";
      if (works(wrap)) works_ = middle;
      else fails = middle;
    }
    const unit = limit.unit === "MiB" ? MIB : limit.unit === "KiB" ? KIB : 1;
    return `${Math.ceil(works_ / unit)} ${limit.unit}`.trim();
  };
  const version = least((wrap) => plugins.call("bridge", "VERSION", "", wrap).exitCode === 0);
  const add = least((wrap) => {
    const { exitCode } = plugins.call("bridge", "ADD", network(), wrap);
    plugins.call("bridge", "DEL", network());
    return exitCode === 0;
  });
  if (existsSync(GROUP)) rmdirSync(GROUP);
  return `| ${limit.name} | ${version} | ${add} |`;
}
