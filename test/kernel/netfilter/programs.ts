/** Which iptables the host has: links and traps in a folder that is searched before the real ones. */
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { outcomeOf, outputOf } from "../../support/command.ts";

const FOLDER = "/usr/local/sbin";
const CALLS = "/run/iptables-calls";

/** A folder in front of the system's, for as long as it is not disposed of. The scratch host has mounts of its own. */
export class Programs implements AsyncDisposable {
  /** Mounted over, and to be laid bare again. */
  readonly #mounts: string[] = [FOLDER];

  static async replace(): Promise<Programs> {
    mkdirSync(FOLDER, { recursive: true });
    await outputOf(["mount", "-t", "tmpfs", "tmpfs", FOLDER]);
    return new Programs();
  }

  /** A program that notes each call, and then does what `target` does, or fails. */
  trap(name: string, target?: string): void {
    const path = `${FOLDER}/${name}`;
    const rest = target === undefined ? "exit 1" : `exec ${target} "$@"`;
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>${CALLS}\n${rest}\n`);
    chmodSync(path, 0o755);
  }

  link(name: string, target: string): void {
    symlinkSync(target, `${FOLDER}/${name}`);
  }

  /** Makes a file of the system not executable. */
  async disable(path: string): Promise<void> {
    if (!existsSync(path)) return;
    const empty = `${FOLDER}/.empty`;
    writeFileSync(empty, "", { mode: 0o644 });
    await outputOf(["mount", "--bind", empty, path]);
    this.#mounts.unshift(path);
  }

  /** The calls of traps so far. */
  calls(): string[] {
    return existsSync(CALLS) ? readFileSync(CALLS, "utf8").trimEnd().split("\n") : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#mounts) await outputOf(["umount", path]);
    await outputOf(["rm", "-f", CALLS]);
  }
}

/** Makes legacy the host's iptables; behind traps if its calls are to be counted. */
export async function legacyHost(counted = false): Promise<Programs> {
  const programs = await Programs.replace();
  for (const name of ["iptables", "ip6tables"]) {
    const real = `/usr/sbin/${name}-legacy-restore`;
    if (counted) programs.trap(`${name}-legacy-restore`, real);
    programs.link(`${name}-restore`, counted ? `${name}-legacy-restore` : real);
  }
  return programs;
}

/** Why there can't be rules of iptables-legacy here; undefined when there can. */
export const whyNoLegacy = async (): Promise<string | undefined> =>
  (await outcomeOf(["iptables-legacy", "-t", "nat", "-S"])).exitCode === 0
    ? undefined
    : "this kernel or machine has no iptables-legacy";
