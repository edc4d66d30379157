/**
 * Calls the plugins of a chain as libcni does (its api.go): each gets its configuration with the network's name and version, the
 * result of the plugins before it, and what the runtime gives for its capabilities.
 */
import { type ChildCall, readChildResult, runChild } from "../../cni/delegate-child.ts";
import type { Command } from "../../cni/environment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import { formatResult } from "../../cni/result-format.ts";
import type { Document } from "../../schema/keys.ts";
import { argsOf, configurationOf } from "../doctor/call-plugin.ts";
import { typeOf } from "../networks.ts";
import { programOf } from "../plugin-folder.ts";
import type { Target } from "./attachment.ts";
import type { Chain } from "./chain.ts";

/** How plugins are called. */
export interface Caller {
  /** CNI_PATH. */
  readonly pluginPath: string;
  /** What they get beside the CNI_* variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly run: ChildCall["delegation"]["run"];
  /** Gets what they print on standard error. */
  readonly log: (line: string) => void;
}

/** libcni's words. */
const VERBS: Readonly<Record<Command, string>> = {
  ADD: "add",
  CHECK: "check",
  DEL: "delete",
  GC: "gc",
  STATUS: "status",
};

/** Called before ADD, so that a missing program is not found out half way. @throws CniError */
export function requirePrograms(caller: Caller, { plugins }: Chain, command: Command): void {
  for (const plugin of plugins) pathOf(caller, plugin, command);
}

/** ADD of all plugins in their order. Undoes nothing. @throws CniError of the first that fails */
export async function addChain(caller: Caller, chain: Chain, target: Target): Promise<Document> {
  let result: Document = {};
  for (const [index, plugin] of chain.plugins.entries()) {
    const prevResult = index === 0 ? undefined : result;
    result = await during(plugin, "ADD", async () => {
      const stdout = await call(caller, chain, plugin, "ADD", target, prevResult);
      const { cniVersion } = chain;
      const printed = readChildResult({ config: { cniVersion } }, typeOf(plugin), stdout);
      return JSON.parse(formatResult(printed, cniVersion)) as Document;
    });
  }
  return result;
}

/** CHECK of all plugins in their order. @throws CniError of the first that fails */
export async function checkChain(
  caller: Caller,
  chain: Chain,
  target: Target,
  prevResult: Document | undefined,
): Promise<void> {
  for (const plugin of chain.plugins)
    await during(plugin, "CHECK", () => call(caller, chain, plugin, "CHECK", target, prevResult));
}

/** DEL of all plugins, the last one first. All are tried. @throws CniError with all failures */
export async function deleteChain(
  caller: Caller,
  chain: Chain,
  target: Target,
  prevResult: Document | undefined,
): Promise<void> {
  const failures = new Failures();
  for (const plugin of chain.plugins.toReversed())
    await failures.attempt(() =>
      during(plugin, "DEL", () => call(caller, chain, plugin, "DEL", target, prevResult)),
    );
  failures.throwIfAny();
}

/** GC of all plugins. All are tried. `valid` are the attachments that stay. @throws CniError with all failures */
export async function collectChain(
  caller: Caller,
  chain: Chain,
  valid: readonly { readonly containerID: string; readonly ifname: string }[],
): Promise<void> {
  // The specification had the second name before 1.1.0 was final (cni#1101); libcni sends both.
  const lists = { "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid };
  const failures = new Failures();
  for (const plugin of chain.plugins)
    await failures.attempt(() =>
      during(plugin, "GC", () => call(caller, chain, { ...plugin, ...lists }, "GC")),
    );
  failures.throwIfAny();
}

/** STATUS of all plugins. @throws CniError of the first that is not ready */
export async function statusOfChain(caller: Caller, chain: Chain): Promise<void> {
  for (const plugin of chain.plugins)
    await during(plugin, "STATUS", () => call(caller, chain, plugin, "STATUS"));
}

async function call(
  caller: Caller,
  chain: Chain,
  plugin: Document,
  command: Command,
  target?: Target,
  prevResult?: Document,
): Promise<Uint8Array> {
  const { name: network, cniVersion } = chain;
  const attachment = target && { capabilityArgs: target.capabilityArgs, result: prevResult };
  const config = configurationOf({ network, cniVersion, plugin, attachment });
  const { run, log, environment, pluginPath } = caller;
  return await runChild(
    { delegation: { run }, stdin: new TextEncoder().encode(JSON.stringify(config)), log },
    pathOf(caller, plugin, command),
    {
      ...environment,
      CNI_COMMAND: command,
      CNI_CONTAINERID: target?.containerId ?? "",
      CNI_NETNS: target?.netns ?? "",
      CNI_IFNAME: target?.ifname ?? "",
      CNI_ARGS: argsOf(target?.cniArgs ?? []),
      CNI_PATH: pluginPath,
    },
  );
}

function pathOf({ pluginPath }: Caller, plugin: Document, command: Command): string {
  const path = programOf(typeOf(plugin), pluginPath);
  if (path !== undefined) return path;
  throw new CniError(
    code.internal,
    `failed to find plugin ${JSON.stringify(typeOf(plugin))} in path [${pluginPath.replaceAll(":", " ")}] (${VERBS[command]}); install it there, or name its folder with --plugin-dir`,
  );
}

/** Puts the plugin in front of an error, in libcni's words. */
async function during<T>(plugin: Document, command: Command, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toCniError(error).during(
      `plugin type=${JSON.stringify(typeOf(plugin))} failed (${VERBS[command]})`,
    );
  }
}
