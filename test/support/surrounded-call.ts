/** One call of the built host-local in surroundings that a line of /bin/sh makes. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LeaseDirectory } from "./lease-directory.ts";
import { builtBinaries, callProgram, type PluginOutcome } from "./plugin-call.ts";

export interface SurroundedCall {
  readonly command?: string;
  readonly containerId?: string;
  /** Makes the surroundings and runs the program, which is "$@": `ulimit -n 5; exec "$@" </dev/zero`. */
  readonly line?: string;
  /** Next to the variables of the call, and PATH for the line. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keys of `ipam`. */
  readonly ipam?: object;
  /** Keys of the whole configuration. */
  readonly whole?: object;
  /** Instead of a configuration. */
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
}

export const SUBNET = { ranges: [[{ subnet: "10.1.0.0/24" }]] };

/** Runs it to its end; a signal that kills it gives 128 and its number. */
export function surroundedCall(leases: LeaseDirectory, call: SurroundedCall = {}): Promise<PluginOutcome> {
  const { command = "ADD", containerId = "c1", line = 'exec "$@"', ipam = SUBNET, whole = {} } = call;
  return callProgram(["/bin/sh", "-c", line, "sh", `${builtBinaries()}/host-local`], {
    command,
    containerId,
    netns: "/nowhere",
    ifname: "eth0",
    path: "/nowhere",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...call.env },
    config: call.stdin ?? leases.network(ipam, whole),
    ...(call.cwd !== undefined && { cwd: call.cwd }),
  });
}

/** What strace(1) tells of the system calls of an ADD that goes well; `trace` says of which (strace -e trace=). */
export async function tracedAdd(leases: LeaseDirectory, trace: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "trace-"));
  try {
    const calls = join(folder, "calls");
    const line = `exec strace -f -qq -e trace=${trace} -o ${calls} "$@"`;
    const { exitCode, stdout } = await surroundedCall(leases, { line });
    if (exitCode !== 0) throw new Error(`the ADD ended with exit code ${exitCode}: ${stdout}`);
    return readFileSync(calls, "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
