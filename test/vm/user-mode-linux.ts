/**
 * User-mode Linux of Debian: a kernel that is a process, with what the machine's own may lack (VLAN filtering, dummy
 * and vlan devices). It has no nf_tables for ip, ip6 and inet: a host with legacy iptables only.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { provideDebian } from "../../conformance/debian.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { PROJECT } from "../support/test-files.ts";
import { provideTools } from "../support/tools.ts";
import type { Kernel } from "./guest.ts";

/** MiB. Twenty plugins at a time want most of it. */
const MEMORY = 2048;

/**
 * Finds the kernel, or installs it.
 * @throws Error that says why it can't be had or can't be run here, and the remedy.
 */
export async function provideUserModeLinux(say: (line: string) => void): Promise<Kernel> {
  await provideTools(["linux.uml", "modprobe", "mount", "setpriv", "unshare"], say);
  const cause = await whyNotEnclosed();
  if (cause !== undefined) throw new Error(cause);
  const preload = await provideWholeState(say);
  return {
    name: "user-mode Linux",
    modules: "/usr/lib/uml/modules",
    command: (init, folder) => command(init, folder, preload),
  };
}

/**
 * What user-mode Linux has to be loaded with on this processor: a library of whole-state.c where AMX makes a process's
 * state longer than it knows; undefined on others. @throws Error that names what is missing
 */
async function provideWholeState(say: (line: string) => void): Promise<string | undefined> {
  if (!/^flags\b.* amx_tile\b/m.test(readFileSync("/proc/cpuinfo", "utf8"))) return undefined;
  await provideDebian({ cc: "gcc", "/usr/include/stdio.h": "libc6-dev" }, say);
  const folder = join(PROJECT, ".cache");
  mkdirSync(folder, { recursive: true });
  const library = join(folder, "whole-state.so");
  const source = join(import.meta.dir, "whole-state.c");
  await outputOf(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, source]);
  return library;
}

/** Why a guest cannot be enclosed by this process, or undefined when it can. */
export async function whyNotEnclosed(): Promise<string | undefined> {
  const { exitCode, stderr } = await outcomeOf([...enclosed(), "true"]);
  return exitCode === 0 ? undefined : `no namespaces for a guest can be had here: ${stderr.trim()}`;
}

/**
 * A kernel is a dozen processes. In a process namespace they all end with the first of them, and that one with this
 * process, however it ends. In a mount namespace, memory and control sockets of the kernel can be a file system that
 * nobody has to remove.
 */
export function enclosed(): string[] {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return ["setpriv", "--pdeathsig", "KILL", "unshare", ...user, ...namespaces];
}

function command(init: readonly string[], folder: string, preload: string | undefined): string[] {
  const [program = "", ...parameters] = init;
  const kernel = [
    ...(preload === undefined ? [] : ["env", `LD_PRELOAD=${preload}`]),
    ...["linux.uml", `mem=${MEMORY}M`, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"],
    ...[`uml_dir=${folder}/`, `init=${program}`, "con=null", "con0=null,fd:1", "--", ...parameters],
  ];
  const boot = `mount -t tmpfs -o size=${MEMORY + 64}M tmpfs "$TMPDIR" && exec "$@"`;
  return [...enclosed(), "env", `TMPDIR=${folder}`, "/bin/sh", "-c", boot, "boot", ...kernel];
}
