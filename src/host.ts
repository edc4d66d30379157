/** Runs a plugin in this process: connects the protocol to the system, and delegation to the built-in plugins. */
import { refuseItself } from "./cni/delegate.ts";
import { toCniError } from "./cni/error.ts";
import type { Delegation, Plugin } from "./cni/plugin.ts";
import { pluginIn, pluginsIn } from "./cni/plugin-name.ts";
import { type Host, reportError, runPlugin } from "./cni/protocol.ts";
import { CURRENT_VERSION } from "./cni/version.ts";
import { PLUGINS } from "./plugins/registry.ts";
import { beginUndo, limitCall, withHalfOfTheTime } from "./sys/deadline.ts";
import { failedWith } from "./sys/errno.ts";
import { isProgram, sameFile, status } from "./sys/file.ts";
import { isOwnNetns } from "./sys/netns.ts";
import { readInput } from "./sys/standard-streams.ts";

/** The part of a Host that every answer needs. */
type Streams = Pick<Host, "environment" | "stdout" | "stderr">;

/** Runs `plugin`, or the configuration's if the program's name selects none (undefined). Returns the exit code. */
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
    // If the system refuses an action, the error names the missing capability.
    explain: async (message) => (await import("./sys/capability.ts")).missingCapability(message),
    isUtf8: async (variable) => (await import("./sys/variable.ts")).isUtf8(variable),
  };
  if (plugin !== undefined) return runPlugin(plugin, host);
  return (await import("./cni/unclear-name.ts")).runByConfig(calledAs, PLUGINS, host);
}

/** Reports why an answer that needs no call failed. Returns the exit code. */
export function reportFailure(error: unknown, streams: Streams): number {
  reportError(toCniError(error), CURRENT_VERSION, streams);
  return 1;
}

function isExecutable(path: string): boolean {
  try {
    return isProgram(status(path));
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
  // bridge is the plugin that delegates.
  if (found?.name === "bridge") refuseItself(name, name);
  return found;
}

const run: Delegation["run"] = async (path, environment, stdin) =>
  (await import("./sys/child.ts")).runProgram({ path, environment, stdin });
