/**
 * A call by a file's name that does not say which plugin is meant: by none of their names, or by several. The `type` of
 * the configuration decides then, for that is the name that the runtime looked for.
 */
import { decodeDocument } from "./config.ts";
import { CniError, code, toCniError } from "./error.ts";
import type { JsonObject } from "./json-object.ts";
import type { Plugin } from "./plugin.ts";
import { pluginIn, pluginsIn } from "./plugin-name.ts";
import { type Host, readStdin, reportError, runPlugin } from "./protocol.ts";
import { versionForError } from "./request.ts";

/** The plugins that there are, by their names, and the names of those that give addresses. */
export interface Known {
  readonly plugins: Readonly<Record<string, Plugin>>;
  readonly ipam: readonly string[];
}

/** Runs the plugin that a call with CNI_COMMAND means. Returns the exit code; never throws. */
export async function runByConfig(name: string, known: Known, host: Host): Promise<number> {
  const [any] = Object.values(known.plugins);
  // All of them answer alike, and stdin must not be read (rule A7).
  if (host.environment.CNI_COMMAND === "VERSION" && any !== undefined) return runPlugin(any, host);
  let stdin: Uint8Array;
  try {
    stdin = readStdin(host);
  } catch (error) {
    return fail(toCniError(error), new Uint8Array(), host);
  }
  const plugin = known.plugins[meant(name, known, stdin) ?? ""];
  return plugin === undefined
    ? fail(unclear(name, known), stdin, host)
    : runPlugin(plugin, { ...host, readStdin: () => stdin });
}

/** The plugin's name. If there are several in the file's name it is one of these. */
function meant(name: string, { plugins, ipam }: Known, stdin: Uint8Array): string | undefined {
  let document: JsonObject;
  try {
    document = decodeDocument(stdin);
  } catch {
    return undefined;
  }
  const type = document.get("type");
  // The plugin of `type` has called this file for addresses: it is not that plugin once more.
  if (name !== type && isIpamOf(document, name)) return pluginIn(name, ipam);
  if (typeof type !== "string") return undefined;
  const all = Object.keys(plugins);
  const inName = pluginsIn(name, all);
  const candidates = inName.length === 0 ? all : inName;
  // What a network has as its type is a plugin that makes interfaces, unless it can only be one that gives addresses.
  const interfaces = candidates.filter((candidate) => !ipam.includes(candidate));
  return pluginIn(type, candidates) ?? pluginIn(type, interfaces);
}

function isIpamOf(document: JsonObject, name: string): boolean {
  const ipam = document.get("ipam");
  return typeof ipam === "object" && ipam !== null && "type" in ipam && ipam.type === name;
}

function unclear(name: string, { plugins }: Known): CniError {
  const names = Object.keys(plugins).join(", ");
  return new CniError(
    code.invalidEnvironment,
    `cannot tell which plugin ${JSON.stringify(name)} is: call the file by the name of a plugin (${names}), ` +
      'by one that contains it, as in "my-bridge", or with that "type" in the configuration',
  );
}

function fail(error: CniError, stdin: Uint8Array, host: Host): number {
  reportError(error, versionForError(stdin), host);
  return 1;
}
