/**
 * The entry point. The name that the program was called by selects the plugin, or else the configuration does. The name is
 * argv[0], so links, copies and bare names on PATH all work.
 */
import { begin, environment, print, programArguments, programName, unusable } from "#engine";
import { isAnswered } from "./cni/about.ts";
import { pluginIn } from "./cni/plugin-name.ts";
import { reportFailure, runCall } from "./host.ts";
import { PLUGINS } from "./plugins/registry.ts";
import { DEFAULT_CALL_TIME, limitCall } from "./sys/deadline.ts";
import { writeError, writeOutput } from "./sys/standard-streams.ts";

/** Set by build.ts to the version of package.json. */
declare const BRIDGEHEAD_VERSION: string;

const version = typeof BRIDGEHEAD_VERSION === "string" ? BRIDGEHEAD_VERSION : "0.0.0-source";

function stdout(text: string): void {
  if (unusable === undefined) writeOutput(text);
  else print(1, text);
}

function stderr(text: string): void {
  if (unusable === undefined) writeError(text);
  else print(2, text);
}

async function main(): Promise<number> {
  limitCall(DEFAULT_CALL_TIME);
  const path = programName();
  const calledAs = path.slice(path.lastIndexOf("/") + 1);
  const plugin = pluginIn(calledAs, PLUGINS);
  const streams = { environment, stdout, stderr };
  if (plugin === undefined && !environment.CNI_COMMAND) {
    const { runOperatorCommand } = await import("./operator.ts");
    const plugins = PLUGINS.map(({ name }) => name);
    return runOperatorCommand(programArguments(), { version, plugins, ...streams });
  }
  try {
    if (isAnswered(plugin?.name ?? calledAs, version, streams, plugin?.oldest)) return 0;
  } catch (error) {
    return reportFailure(error, streams);
  }
  const run = environment.BRIDGEHEAD_TRACE ? (await import("./trace/trace.ts")).runTraced : runCall;
  return run(calledAs, plugin, streams);
}

begin(main);
