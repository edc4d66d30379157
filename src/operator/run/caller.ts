/** How `run` calls plugins: from which folders, with which variables, and what becomes of what they print. */
import { runProgram } from "../../sys/child.ts";
import { hasOption, type Input, textOption } from "../input.ts";
import { PLUGIN_FOLDER } from "../plugin-folder.ts";
import type { Caller } from "./call-chain.ts";

/** Bytes of standard error that are shown of a plugin. Its steps in words are many lines. */
const MOST_WORDS = 16 * 2 ** 20;

/** By the options and the environment. With --explain-steps the plugins write their steps to standard error (O18). */
export function callerOf(input: Input): Caller {
  const { terminal } = input;
  const pluginPath = textOption(input, "pluginDir") ?? (terminal.environment.CNI_PATH || PLUGIN_FOLDER);
  return {
    pluginPath,
    environment: {
      ...terminal.environment,
      ...(hasOption(input, "explainSteps") && { BRIDGEHEAD_TRACE: "-" }),
    },
    run: async (path, environment, stdin) => runProgram({ path, environment, stdin, mostWords: MOST_WORDS }),
    log: (line) => terminal.stderr(`${line}\n`),
  };
}
