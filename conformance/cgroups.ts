/**
 * Control groups for runtimes in a scratch host. The kernel has one tree of them for the whole machine, so a suite works
 * in a group of its own, which is removed at the end.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { outputOf } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";

const ROOT = "/sys/fs/cgroup";
const PREFIX = "bridgehead-conformance-";

/** The name of the group for this process's suite, directly below the root of each hierarchy. */
export const ownCgroup = (): string => `${PREFIX}${process.pid}`;

interface Hierarchy {
  readonly folder: string;
  /** Controllers or "name=…" of version 1; undefined for version 2. */
  readonly options: string | undefined;
}

/** The hierarchies of this machine, also where something hides them: a scratch host has a fresh /sys. */
function hierarchies(): Hierarchy[] {
  const found = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line): Hierarchy[] => {
      const [, folder, type, options = ""] = /^(?:\S+ ){4}(\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
      if (folder === undefined || !folder.startsWith(ROOT)) return [];
      if (type === "cgroup2") return [{ folder, options: undefined }];
      const own = options.split(",").filter((word) => word !== "rw" && word !== "xattr");
      const named = own.some((word) => word.startsWith("name="));
      return [{ folder, options: [...(named ? ["none"] : []), ...own].join(",") }];
    });
  const hasControllers = found.some(({ options }) => options !== undefined && !options.startsWith("none"));
  // Where both versions have controllers, crun refuses to work; systemd machines have version 2 alone.
  return hasControllers ? found.filter(({ options }) => options !== undefined) : found;
}

/** Mounts the machine's hierarchies in the scratch host that this process is in. */
export async function mountCgroups(): Promise<void> {
  await outputOf(cgroupMounts());
}

/** The shell commands that mount the machine's hierarchies on a fresh /sys: in a control group namespace, its part of them. */
export function cgroupMounts(): string {
  const found = new Map(hierarchies().map((hierarchy) => [hierarchy.folder, hierarchy]));
  if (found.size === 0) throw new Error(`no control groups are mounted below ${ROOT}: no runtime works here`);
  const mounts = [...found.values()].map(({ folder, options }) => {
    const how = options === undefined ? "-t cgroup2" : `-t cgroup -o ${options}`;
    return `mkdir -p ${folder} && mount -n ${how} cgroup ${folder}`;
  });
  return ["set -e", ...(found.has(ROOT) ? [] : [`mount -n -t tmpfs tmpfs ${ROOT}`]), ...mounts].join("\n");
}

/** Makes the group `path` in each hierarchy. Returns its folders; a process goes in by its id in their cgroup.procs. */
export function makeCgroup(path: string): string[] {
  return [...new Set(hierarchies().map(({ folder }) => folder))].map((hierarchy) => {
    let folder = hierarchy;
    for (const name of path.split("/")) {
      const parent = folder;
      folder = join(parent, name);
      mkdirSync(folder, { recursive: true });
      // A new group of this kind has neither, and takes no process before it has both.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        const given = join(parent, file);
        if (existsSync(given)) writeFileSync(join(folder, file), readFileSync(given));
      }
    }
    return folder;
  });
}

/**
 * Removes the group `name` of a suite that has ended, and those of suites that were killed.
 * @throws Error when a process of the suite is still in there after a while.
 */
export async function removeCgroups(name: string): Promise<void> {
  const places = hierarchies().map(({ folder }) => folder);
  const remove = (group: string) => places.every((place) => removeTree(join(place, group)));
  await eventually(`control group ${name} is empty`, () => remove(name));
  for (const place of places) {
    for (const group of readdirSync(place)) {
      const owner = group.startsWith(PREFIX) ? group.slice(PREFIX.length) : undefined;
      if (owner !== undefined && statSync(`/proc/${owner}`, { throwIfNoEntry: false }) === undefined)
        removeTree(join(place, group));
    }
  }
}

/** A group goes when it has no process and no group in it. */
function removeTree(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
