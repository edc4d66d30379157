/**
 * The one program: which plugin it is follows from the name that it was called by (argv[0], so that a link, a copy and
 * a bare name found on PATH all serve), or else from the configuration. The only file that touches the process; it wires
 * the plugins into delegation.
 */
import { environment, exit, print, programArguments, programName, unusable } from "#engine";
import type { Delegation, Plugin } from "./cni/plugin.ts";
import { pluginIn, pluginsIn, refuseItself } from "./cni/plugin-name.ts";
import { type Host, runPlugin } from "./cni/protocol.ts";
import { PLUGINS } from "./plugins/registry.ts";
import { beginUndo, DEFAULT_CALL_TIME, limitCall, withHalfOfTheTime } from "./sys/deadline.ts";
import { failedWith } from "./sys/errno.ts";
import { isRegular, sameFile, status } from "./sys/file.ts";
import { isOwnNetns } from "./sys/netns.ts";
import { readInput, writeError, writeOutput } from "./sys/standard-streams.ts";

/** Set by build.ts to the version of package.json. */
declare const BRIDGEHEAD_VERSION: string;

const version = typeof BRIDGEHEAD_VERSION === "string" ? BRIDGEHEAD_VERSION : "0.0.0-source";

function writeResult(text: string): void {
  if (unusable === undefined) writeOutput(text);
  else print(1, text);
}

function writeLine(text: string): void {
  if (unusable === undefined) writeError(text);
  else print(2, text);
}

/** The last part of argv[0]. */
const calledAs = programName().slice(programName().lastIndexOf("/") + 1);

/** The plugin that this very file is when it is delegated to by a name. @throws CniError code 7 for the caller itself. */
function delegateNamed(name: string): Plugin | undefined {
  const ipam = PLUGINS.filter(({ kind }) => kind === "ipam");
  const found = pluginIn(name, ipam) ?? pluginIn(name, PLUGINS);
  // The one that delegates.
  if (found?.name === "bridge") refuseItself(name, name);
  return found;
}

const delegation: Delegation = {
  isExecutable: (path) => {
    try {
      const file = status(path);
      return isRegular(file) && (file.mode & 0o111) !== 0;
    } catch (error) {
      if (failedWith(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return false;
      throw error;
    }
  },
  calledAs,
  builtIn: (path, name) =>
    pluginsIn(name, PLUGINS).length > 0 && sameFile(status(path), status("/proc/self/exe"))
      ? delegateNamed(name)
      : undefined,
  run: async (path, environment, stdin) =>
    (await import("./sys/child.ts")).runProgram({ path, environment, stdin }),
};

/** A refusal of the system's names the capability that this process lacks. */
async function explain(message: string): Promise<string | undefined> {
  return (await import("./sys/missing-capability.ts")).missingCapability(message);
}

async function main(): Promise<number> {
  limitCall(DEFAULT_CALL_TIME);
  const plugin = pluginIn(calledAs, PLUGINS);
  if (plugin === undefined && !environment.CNI_COMMAND) {
    const { runOperatorCommand } = await import("./operator.ts");
    const plugins = PLUGINS.map(({ name }) => name);
    return runOperatorCommand(programArguments(), {
      version,
      plugins,
      stdout: writeResult,
      stderr: writeLine,
    });
  }
  const host: Host = {
    environment,
    readStdin: readInput,
    stdout: writeResult,
    stderr: writeLine,
    isOwnNetns,
    delegation,
    time: { limit: limitCall, beginUndo, half: withHalfOfTheTime },
    explain,
    isUtf8: async (variable) => (await import("./sys/variable.ts")).isUtf8(variable),
    version,
  };
  if (plugin !== undefined) return runPlugin(plugin, host);
  const { runByConfig } = await import("./cni/unclear-name.ts");
  return runByConfig(calledAs, PLUGINS, host);
}

// Not awaited here: a module that waits at its top level takes the engine 0.07 ms more.
void main().then((code) => exit(code));
