/**
 * A scratch host: network, mounts and processes of its own, so that nothing which happens in it reaches the machine
 * that it is made on, and nothing of it is left when its first process ends, however that ends.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { outcomeOf } from "./command.ts";

/** What the programs in a scratch host write outside of their network, and the folder that holds it. */
const WRITTEN = [
  // The names of `ip netns`, the lock of iptables-legacy.
  { folder: "/run/netns", holder: "/run" },
  // The leases of host-local, the results that libcni keeps.
  { folder: "/var/lib/cni", holder: "/var/lib" },
] as const;

const PROJECT = dirname(dirname(import.meta.dir));

/**
 * The command that runs `command` in a fresh scratch host; only root can run it. Start it with `env: process.env`: what
 * Bun starts without it gets the variables that this process was started with, without the PATH of provideTools. /run and /var/lib are empty in
 * there. `visible` are paths which must not vanish by that, next to this project and Bun.
 * @throws Error when there is no way to keep one of them in sight.
 */
export function isolated(command: readonly string[], visible: readonly string[] = []): string[] {
  const setUp = [
    "set -e",
    // mount -n: without it mount(8) keeps notes in /run, the real one at first.
    ...WRITTEN.flatMap((place) => cover(place, [PROJECT, process.execPath, ...visible])),
    "[ ! -d /etc/cni ] || mount -n -t tmpfs tmpfs /etc/cni",
    // /sys/class/net shows the network that it was mounted in.
    "mount -n -t sysfs sysfs /sys",
    "ip link set lo up",
    // Not exec: the shell stays as process 1 and reaps what the command leaves.
    '"$@"',
  ].join("\n");
  const namespaces = [
    ...["--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"],
    "--mount-proc",
  ];
  return ["unshare", ...namespaces, "/bin/sh", "-c", setUp, "scratch-host", ...command];
}

/** The whole holder is covered, so that `folder` need not exist on the machine; else the folder alone. */
function cover(place: (typeof WRITTEN)[number], visible: readonly string[]): string[] {
  const hidden = visible.find((path) => path.startsWith(`${place.holder}/`));
  if (hidden === undefined)
    return [`mount -n -t tmpfs -o mode=755 tmpfs ${place.holder}`, `mkdir -p ${place.folder}`];
  if (existsSync(place.folder)) return [`mount -n -t tmpfs -o mode=755 tmpfs ${place.folder}`];
  throw new Error(
    `cannot make a scratch host: ${hidden} would vanish under a fresh ${place.holder}, ` +
      `and there is no ${place.folder} to cover instead; make it with mkdir`,
  );
}

/** Why this process cannot make a scratch host, or undefined when it can. */
export async function whyNotIsolated(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "not root";
  const { exitCode, stderr } = await outcomeOf(isolated(["true"]));
  return exitCode === 0 ? undefined : `no scratch host can be made here: ${stderr.trim()}`;
}
