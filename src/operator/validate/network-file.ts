/** Reads a file of a network: a list of plugins, or one plugin (libcni's ConfFiles and ConfListFromBytes). */
import { toCniError } from "../../cni/error.ts";
import { isIdentifier } from "../../cni/identifier.ts";
import { parseJson } from "../../cni/json-bytes.ts";
import { placesOf } from "../../cni/json-places.ts";
import { behindValue } from "../../cni/json-scan.ts";
import type { Document } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import type { Judged, Report } from "./report.ts";

/** A file, not yet read as JSON. */
export interface Source {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** One plugin of a network. */
export interface PluginEntry {
  readonly type: string;
  /** As the runtime sends it: with the network's name and version. */
  readonly document: Document;
  /** Only what is written. */
  readonly written: Document;
  readonly bytes: Uint8Array;
  /** Where it is in the file: "plugins[0]", or "" for a file with one plugin. */
  readonly at: string;
  /** ipam.type, if it is a text. */
  readonly ipam: string | undefined;
}

/** A network that could be read. */
export interface NetworkFile extends Judged {
  readonly isList: boolean;
  readonly document: Document;
  /** The version that a runtime uses; undefined if there is none. */
  readonly version: string | undefined;
  readonly plugins: readonly PluginEntry[];
}

/** Whether a value is an object of JSON. */
export const isObject = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The path of a key inside of another one. */
export const inside = (at: string, key: string): string =>
  at === "" || key === "" ? at + key : `${at}.${key}`;

const textAt = (document: Document, key: string): string | undefined => {
  const value = get(document, key);
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** The network in a file; undefined if nothing can be said about it. What is wrong goes to the report. */
export function readNetworkFile({ path, bytes }: Source, report: Report): NetworkFile | undefined {
  let document: unknown;
  try {
    document = parseJson(bytes, "the file");
  } catch (error) {
    const message = toCniError(error).message;
    const [, line = "1", column = "1"] = /line (\d+), column (\d+)/.exec(message) ?? [];
    const problem = message.replace(/^cannot decode the file: (line \d+, column \d+: )?/, "");
    report.addAt(
      "BH101",
      { file: path, line: Number(line), column: Number(column) },
      "",
      problem,
      "correct the place",
    );
    return undefined;
  }
  const places = placesOf(bytes);
  const name = isObject(document) ? textAt(document, "name") : undefined;
  const judged: Judged = { path, bytes, places, name };
  if (!isObject(document)) {
    report.add("BH102", judged, "", "the file must hold an object of JSON", "write { } around it");
    return undefined;
  }
  for (const key of places.repeated) {
    report.add(
      "BH107",
      judged,
      key,
      `the key "${key}" is there twice, and the last one counts`,
      "remove one",
    );
  }
  judgeName(document, judged, report);
  const plugins = get(document, "plugins");
  const isList = plugins !== undefined;
  judgeForm(judged, isList, report);
  const version = versionOf(document);
  const entries: PluginEntry[] = [];
  const add = (written: Document, at: string): void => {
    const type = textAt(written, "type");
    if (type === undefined) {
      const problem = `the key "${inside(at, "type")}" is missing: it names the plugin`;
      report.add("BH102", judged, inside(at, "type"), problem, 'add it, as in "type": "bridge"');
      return;
    }
    if (at !== "" && get(written, "plugins") !== undefined) {
      const problem = `plugin ${JSON.stringify(type)} is given a list of plugins`;
      report.add(
        "BH108",
        judged,
        inside(at, "plugins"),
        problem,
        "put its plugins into the network's own list",
      );
    }
    const start = places.at.get(at.toLowerCase())?.value ?? 0;
    const ipam = get(written, "ipam");
    entries.push({
      type,
      written,
      document:
        at === ""
          ? written
          : { ...written, name: name ?? "", ...(version !== undefined && { cniVersion: version }) },
      bytes: bytes.subarray(start, behindValue(bytes, start) + 1),
      at,
      ipam: isObject(ipam) ? textAt(ipam, "type") : undefined,
    });
  };
  if (!isList) add(document, "");
  else if (!Array.isArray(plugins) || plugins.length === 0) {
    const problem = Array.isArray(plugins) ? "the list has no plugin" : '"plugins" must be a list';
    report.add("BH102", judged, "plugins", problem, 'write "plugins": [ { "type": "bridge", … } ]');
  } else {
    for (const [index, written] of plugins.entries()) {
      const at = `plugins[${index}]`;
      if (isObject(written)) add(written, at);
      else report.add("BH102", judged, at, `"${at}" must be an object`, "write { } around the plugin's keys");
    }
  }
  return { ...judged, isList, document, version, plugins: entries };
}

/** libcni takes the highest of cniVersions, if there are several. */
function versionOf(document: Document): string | undefined {
  const several = get(document, "cniVersions");
  const all = (Array.isArray(several) ? several : []).filter((each) => typeof each === "string");
  const own = textAt(document, "cniVersion");
  if (own !== undefined) all.push(own);
  return all.sort(byNumbers).at(-1);
}

function byNumbers(one: string, other: string): number {
  const [a, b] = [one.split(".").map(Number), other.split(".").map(Number)];
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function judgeName(document: Document, judged: Judged, report: Report): void {
  const name = get(document, "name");
  const how = 'use letters, digits, "_", "." and "-", as in "name": "mynet"';
  if (name === undefined || name === "")
    report.add("BH109", judged, "name", 'the key "name" is missing', how);
  else if (typeof name !== "string") report.add("BH109", judged, "name", '"name" must be a text', how);
  else if (!isIdentifier(name) || new TextEncoder().encode(name).length > 255) {
    report.add("BH109", judged, "name", `${JSON.stringify(name)} is not a valid name of a network`, how);
  }
}

/** Runtimes take the form from the ending of the file's name. */
function judgeForm(judged: Judged, isList: boolean, report: Report): void {
  const [, ending = ""] = /\.([a-z]+)$/.exec(judged.path) ?? [];
  if (isList && (ending === "conf" || ending === "json")) {
    const problem = `the file has a list of plugins, and runtimes give a *.${ending} to one plugin`;
    report.add("BH108", judged, "plugins", problem, "rename the file, so that it ends with .conflist");
  } else if (!isList && ending === "conflist") {
    const problem = 'a *.conflist must have a list of plugins, and this one has no "plugins"';
    report.add(
      "BH108",
      judged,
      "",
      problem,
      'write "plugins": [ ] around the plugin, or name the file *.conf',
    );
  }
}
