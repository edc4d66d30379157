/**
 * Reads the networks of this host from the folder of configurations that the runtimes read, /etc/cni/net.d. A broken file is
 * named and does not stop the others.
 */

import { describeJsonFault } from "../cni/json-position.ts";
import { decodeText, describeUtf8Fault } from "../cni/text-position.ts";
import type { Document } from "../schema/keys.ts";
import { get } from "../schema/parse.ts";
import { messageOf } from "../sys/errno.ts";
import { readFile } from "../sys/file.ts";
import { isFileFailure } from "../sys/own-file.ts";
import { namesOf } from "./folder.ts";

/** Where runtimes look for networks by default. */
export const DEFAULT_CONFIG_DIRECTORY = "/etc/cni/net.d";

/** The endings of configurations, as libcni reads them. */
const ENDINGS = [".conflist", ".conf", ".json"] as const;

/** A network of a file. */
export interface Network {
  readonly name: string;
  readonly file: string;
  /** As it is written; "" if it is absent. */
  readonly cniVersion: string;
  /** The configurations of its plugins, in the order of the chain; each has a `type` of text. */
  readonly plugins: readonly Document[];
  /** The whole file. */
  readonly document: Document;
  /** Whether it is a list, and not the configuration of a single plugin. */
  readonly isList: boolean;
  /** The earlier file with the same name, which runtimes read instead of this one. */
  readonly shadowedBy?: string;
}

/** A file that is not a network. */
export interface BrokenFile {
  readonly file: string;
  /** As in 'line 3, column 7: unexpected "}", expected a value'. */
  readonly problem: string;
}

/** What is in the folder, in the order of its names, by which runtimes choose their default network. */
export interface Networks {
  readonly networks: readonly Network[];
  readonly broken: readonly BrokenFile[];
}

/** All networks of a folder; none if it does not exist. @throws CommandError if it is not a folder, or cannot be listed; SystemError for missing permissions */
export function readNetworks(directory: string = DEFAULT_CONFIG_DIRECTORY): Networks {
  const networks: Network[] = [];
  const broken: BrokenFile[] = [];
  const files = new Map<string, string>();
  for (const name of namesOf(directory, "the networks in", "--config-dir")) {
    if (!ENDINGS.some((ending) => name.endsWith(ending))) continue;
    const file = `${directory}/${name}`;
    const found = readNetwork(file);
    if (typeof found === "string") {
      broken.push({ file, problem: found });
      continue;
    }
    const shadowedBy = files.get(found.name);
    networks.push(shadowedBy === undefined ? found : { ...found, shadowedBy });
    if (shadowedBy === undefined) files.set(found.name, file);
  }
  return { networks, broken };
}

/** The network of a file, or why it is none. */
function readNetwork(file: string): Network | string {
  let bytes: Uint8Array;
  try {
    bytes = readFile(file);
  } catch (error) {
    if (isFileFailure(error)) return error.message;
    throw error;
  }
  const json = parseJson(bytes);
  if (typeof json === "string") return json;
  if (!isDocument(json)) return "it is not a JSON object";
  const name = get(json, "name");
  if (typeof name !== "string" || name === "") return 'it has no "name"';
  const cniVersion = get(json, "cniVersion");
  const list = get(json, "plugins");
  const isList = list !== undefined;
  if (isList && !Array.isArray(list)) return '"plugins" is not an array';
  const plugins: Document[] = [];
  for (const [index, plugin] of (isList ? (list as unknown[]) : [json]).entries()) {
    const at = isList ? `plugins[${index}]` : "the configuration";
    if (!isDocument(plugin)) return `${at} is not a JSON object`;
    const type = get(plugin, "type");
    if (typeof type !== "string" || type === "") return `${at} has no "type"`;
    plugins.push(plugin);
  }
  if (plugins.length === 0) return '"plugins" is empty';
  return {
    name,
    file,
    cniVersion: typeof cniVersion === "string" ? cniVersion : "",
    plugins,
    document: json,
    isList,
  };
}

/** The value of a JSON file that is no text, or where it is wrong, as in 'line 3, column 7: unexpected "}", expected a value'. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const json: unknown = JSON.parse(decodeText(bytes));
    return typeof json === "string" ? "it is not a JSON object" : json;
  } catch (error) {
    return describeUtf8Fault(bytes) ?? describeJsonFault(bytes) ?? messageOf(error);
  }
}

/** The `type` of a plugin's configuration. */
export const typeOf = (plugin: Document): string => String(get(plugin, "type"));

/** The bridge that a plugin's configuration names; undefined if it is not the plugin bridge's. An empty text counts as none. */
export function bridgeNameOf(plugin: Document): string | undefined {
  if (typeOf(plugin) !== "bridge") return undefined;
  const name = get(plugin, "bridge");
  return typeof name === "string" && name !== "" ? name : "cni0";
}

/** Whether a value is a JSON object. */
export const isDocument = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value);
