/**
 * Handles a call whose file name contains the name of no plugin or of several. Then the configuration's `type` decides,
 * since it is the name by which the runtime found the file.
 */
import type { Document } from "../schema/keys.ts";
import { get } from "../schema/parse.ts";
import { decodeDocument, versionForError } from "./config.ts";
import { CniError, code, toCniError } from "./error.ts";
import type { Plugin } from "./plugin.ts";
import { pluginIn, pluginsIn } from "./plugin-name.ts";
import { type Host, readStdin, reportError, runPlugin } from "./protocol.ts";

/** Runs the plugin that a call with CNI_COMMAND means. Returns the exit code; never throws. */
export async function runByConfig(name: string, plugins: readonly Plugin[], host: Host): Promise<number> {
  let stdin: Uint8Array;
  try {
    stdin = readStdin(host);
  } catch (error) {
    return fail(toCniError(error), new Uint8Array(), host);
  }
  const plugin = meant(name, plugins, stdin);
  return plugin === undefined
    ? fail(unclear(name, plugins), stdin, host)
    : runPlugin(plugin, { ...host, readStdin: () => stdin });
}

/** The plugin that is meant. If the file name contains several, it is one of these. */
function meant(name: string, plugins: readonly Plugin[], stdin: Uint8Array): Plugin | undefined {
  let document: Document;
  try {
    document = decodeDocument(stdin);
  } catch {
    return undefined;
  }
  const type = get(document, "type");
  // The interface plugin `type` has called this file as its IPAM plugin.
  if (name !== type && isIpamOf(document, name))
    return pluginIn(
      name,
      plugins.filter(({ kind }) => kind === "ipam"),
    );
  if (typeof type !== "string") return undefined;
  const inName = pluginsIn(name, plugins);
  const candidates = inName.length === 0 ? plugins : inName;
  // A network's `type` does not mean an IPAM plugin, unless only that has the name.
  const interfaces = candidates.filter(({ kind }) => kind !== "ipam");
  return pluginIn(type, candidates) ?? pluginIn(type, interfaces);
}

function isIpamOf(document: Document, name: string): boolean {
  const ipam = get(document, "ipam");
  return typeof ipam === "object" && ipam !== null && "type" in ipam && ipam.type === name;
}

function unclear(name: string, plugins: readonly Plugin[]): CniError {
  const names = plugins.map((plugin) => plugin.name).join(", ");
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
