/**
 * Calls the plugins of a network as libcni does (its api.go): the configuration of each with the network's name and
 * version, the cached result, and what the runtime had sent for its capabilities. Only CHECK and STATUS, which change
 * nothing.
 */
import type { Document } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import { runProgram } from "../../sys/child.ts";
import { messageOf } from "../../sys/errno.ts";
import type { CachedAttachment } from "../cache.ts";
import { isDocument, typeOf } from "../networks.ts";
import { programOf } from "../plugin-folder.ts";

/** Milliseconds for one call. */
const MOST = 30_000;

/** A list of plugins, or one plugin's configuration. */
export const pluginsOf = (document: Document): Document[] => {
  const list = get(document, "plugins");
  return (Array.isArray(list) ? (list as unknown[]) : [document]).filter(isDocument);
};

/** What a plugin is called with. */
export interface PluginCall {
  readonly command: "CHECK" | "STATUS";
  readonly network: string;
  readonly cniVersion: string;
  readonly plugin: Document;
  readonly attachment?: CachedAttachment;
  readonly pluginPath: string;
}

/** The plugin's error; undefined if it has none, or does not know the command (rule K15), or its program is missing. */
export function errorOf(call: PluginCall): string | undefined {
  const { command, plugin, attachment, pluginPath } = call;
  const path = programOf(typeOf(plugin), pluginPath);
  if (path === undefined) return undefined;
  const environment = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: command,
    CNI_PATH: pluginPath,
    ...(attachment !== undefined && {
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netns ?? "",
      CNI_IFNAME: attachment.ifname,
      CNI_ARGS: argsOf(attachment.cniArgs),
    }),
  };
  const stdin = new TextEncoder().encode(JSON.stringify(configurationOf(call)));
  try {
    const { exitCode, signal, stdout } = runProgram({ path, environment, stdin, most: MOST });
    if (exitCode === 0) return undefined;
    const { code, words } = answerOf(stdout);
    if (code === UNKNOWN_COMMAND) return undefined;
    return words ?? (signal === undefined ? `it ended with exit code ${exitCode}` : `${signal} ended it`);
  } catch (error) {
    return messageOf(error);
  }
}

/** CNI_ARGS of pairs. */
export const argsOf = (pairs: CachedAttachment["cniArgs"]): string =>
  pairs.map((pair) => pair.join("=")).join(";");

/** What the plugin gets on standard input. `result` is that of the plugins before it, or of ADD. */
export function configurationOf({
  network,
  cniVersion,
  plugin,
  attachment,
}: Pick<PluginCall, "network" | "cniVersion" | "plugin"> & {
  readonly attachment?: Pick<CachedAttachment, "capabilityArgs" | "result"> | undefined;
}): Document {
  const runtimeConfig: Record<string, unknown> = {};
  const capabilities = get(plugin, "capabilities");
  for (const [name, isWanted] of Object.entries(isDocument(capabilities) ? capabilities : {})) {
    const value = attachment?.capabilityArgs[name];
    if (isWanted === true && value !== undefined) runtimeConfig[name] = value;
  }
  return {
    ...plugin,
    name: network,
    cniVersion,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(attachment?.result !== undefined && { prevResult: attachment.result }),
  };
}

/** The code of a plugin that is older than the command (the specification, section "Error"). */
const UNKNOWN_COMMAND = 4;

/** Code and words of an error object. */
function answerOf(stdout: Uint8Array): { readonly code?: unknown; readonly words?: string } {
  try {
    const error: unknown = JSON.parse(new TextDecoder().decode(stdout));
    if (!isDocument(error) || typeof error.msg !== "string") return {};
    const details = typeof error.details === "string" && error.details !== "" ? `: ${error.details}` : "";
    return { code: error.code, words: `${error.msg}${details}` };
  } catch {
    return {};
  }
}
