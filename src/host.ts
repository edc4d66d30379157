/** A call of a plugin in this process: what the protocol needs of the system, and the wiring of plugins into delegation. */
import { refuseItself } from "./cni/delegate.ts";
import { toCniError } from "./cni/error.ts";
import type { Delegation, Plugin } from "./cni/plugin.ts";
import { pluginIn, pluginsIn } from "./cni/plugin-name.ts";
import { type Host, reportError, runPlugin } from "./cni/protocol.ts";
import { CURRENT_VERSION } from "./cni/version.ts";
import { PLUGINS } from "./plugins/registry.ts";
import { beginUndo, limitCall, withHalfOfTheTime } from "./sys/deadline.ts";
import { failedWith } from "./sys/errno.ts";
import { isRegular, sameFile, status } from "./sys/file.ts";
import { isOwnNetns } from "./sys/netns.ts";
import { readInput } from "./sys/standard-streams.ts";

/** What every answer needs. */
type Streams = Pick<Host, "environment" | "stdout" | "stderr">;

/** Runs the plugin that the program was called as; undefined where its name does not say which. Returns the exit code. */
export async function runCall(
  calledAs: string,
  plugin: Plugin | undefined,
  { environment, stdout, stderr }: Streams,
): Promise<number> {
  const host: Host = {
    environment,
    readStdin: readInput,
    stdout,
    stderr,
    isOwnNetns,
    delegation: { calledAs, isExecutable, builtIn, run },
    time: { limit: limitCall, beginUndo, half: withHalfOfTheTime },
    // A refusal of the system's names the capability that this process lacks.
    explain: async (message) => (await import("./sys/capability.ts")).missingCapability(message),
    isUtf8: async (variable) => (await import("./sys/variable.ts")).isUtf8(variable),
  };
  if (plugin !== undefined) return runPlugin(plugin, host);
  return (await import("./cni/unclear-name.ts")).runByConfig(calledAs, PLUGINS, host);
}

/** Reports what kept a plugin from an answer that needs no call. Returns the exit code. */
export function reportFailure(error: unknown, streams: Streams): number {
  reportError(toCniError(error), CURRENT_VERSION, streams);
  return 1;
}

function isExecutable(path: string): boolean {
  try {
    const file = status(path);
    return isRegular(file) && (file.mode & 0o111) !== 0;
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return false;
    throw error;
  }
}

function builtIn(path: string, name: string): Plugin | undefined {
  if (pluginsIn(name, PLUGINS).length === 0 || !sameFile(status(path), status("/proc/self/exe")))
    return undefined;
  const ipam: Plugin[] = [];
  for (const plugin of PLUGINS) if (plugin.kind === "ipam") ipam.push(plugin);
  const found = pluginIn(name, ipam) ?? pluginIn(name, PLUGINS);
  // The one that delegates.
  if (found?.name === "bridge") refuseItself(name, name);
  return found;
}

const run: Delegation["run"] = async (path, environment, stdin) =>
  (await import("./sys/child.ts")).runProgram({ path, environment, stdin });
