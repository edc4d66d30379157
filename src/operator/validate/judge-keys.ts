/** Judges the keys of a plugin's configuration: names, places and types. */
import { toCniError } from "../../cni/error.ts";
import { SHARED_KEYS } from "../../cni/keys.ts";
import { PLUGIN_KEYS } from "../../plugins/all-keys.ts";
import { KeyError } from "../../schema/key-error.ts";
import type { Document, Keys } from "../../schema/keys.ts";
import { type Elsewhere, get, parse } from "../../schema/parse.ts";
import { type KnownKey, keysOfList, keysOfPlugin, placesOfKey, SHARED_SECTIONS } from "./known-keys.ts";
import { nearest } from "./nearest.ts";
import { inside, isObject, type NetworkFile, type PluginEntry } from "./network-file.ts";
import type { Report } from "./report.ts";

/** Keys with which other programs mark their networks. */
const FOREIGN = /^(?:nerdctl|podman_|x-|_|\/\/|#)|\//;

/** Judges the keys around the plugins of a list. */
export function judgeList(file: NetworkFile, report: Report): void {
  if (file.isList) judgeNames(file, undefined, keysOfList(), file.document, "", report);
}

/** Judges the keys of one plugin. Returns whether all of them have the right types. */
export function judgePlugin(file: NetworkFile, entry: PluginEntry, report: Report): boolean {
  const known = keysOfPlugin(entry.type, entry.ipam);
  if (known === undefined) return false;
  judgeNames(file, entry, known, entry.written, entry.at, report);
  const faults = faultsOf(entry);
  for (const { path, message, isOfValue } of faults) {
    const problem = message.replace(/^cannot decode: /, "");
    report.add(isOfValue ? "BH103" : "BH102", file, inside(entry.at, path), problem, remedyOf(entry, path));
  }
  return faults.length === 0;
}

const remedyOf = ({ type, ipam }: PluginEntry, path: string): string => {
  const key = path.replace(/\[\d+\]/g, "");
  const plugin = key.startsWith("ipam.") && key !== "ipam.type" && ipam !== undefined ? ipam : type;
  return `see bridgehead explain ${plugin}.${key.replace(/^ipam\.(?!type$)/, "")}`;
};

function judgeNames(
  file: NetworkFile,
  entry: PluginEntry | undefined,
  known: KnownKey,
  value: unknown,
  at: string,
  report: Report,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      judgeNames(file, entry, known, item, `${at}[${index}]`, report);
    return;
  }
  if (!isObject(value) || known.inside.size === 0) return;
  for (const [name, inner] of Object.entries(value)) {
    const key = known.inside.get(name.toLowerCase());
    if (key !== undefined) {
      // The plugins of a list are judged one by one.
      if (entry !== undefined || key.name !== "plugins")
        judgeNames(file, entry, key, inner, inside(at, key.name), report);
      continue;
    }
    // A list inside of a plugin is reported as such.
    if (FOREIGN.test(name) || (at === entry?.at && name.toLowerCase() === "plugins")) continue;
    judgeUnknown(file, entry, known, name, at, report);
  }
}

function judgeUnknown(
  file: NetworkFile,
  entry: PluginEntry | undefined,
  known: KnownKey,
  name: string,
  at: string,
  report: Report,
): void {
  const path = inside(at, name);
  const quoted = JSON.stringify(name);
  const near = nearest(
    name,
    [...known.inside.values()].map((key) => key.name),
  );
  const elsewhere = SHARED_SECTIONS.includes(known.name) ? undefined : placeFor(name, entry);
  if (elsewhere !== undefined && near?.toLowerCase() !== name.toLowerCase()) {
    const where = entry === undefined ? "the list itself" : `plugin ${JSON.stringify(entry.type)}`;
    const here = at === (entry?.at ?? "") ? where : `"${at}"`;
    report.add("BH106", file, path, `${quoted} has no effect in ${here}`, elsewhere);
  } else if (near !== undefined) {
    report.add("BH104", file, path, `unknown key ${quoted}`, `write ${JSON.stringify(near)}`);
  } else if (!SHARED_SECTIONS.includes(known.name)) {
    const of = entry === undefined ? "lists of plugins" : `plugin ${JSON.stringify(entry.type)}`;
    const problem = `unknown key ${quoted}: ${of} ignore${entry === undefined ? "" : "s"} it`;
    report.add("BH105", file, path, problem, "remove it, unless another program reads it");
  }
}

/** Where a key belongs that is unknown in its place: its own plugin and that one's IPAM plugin first. */
function placeFor(name: string, entry: PluginEntry | undefined): string | undefined {
  const places = placesOfKey(name);
  const own = places.find(({ plugin }) => plugin === entry?.type);
  const found = own ?? places.find(({ plugin }) => plugin === entry?.ipam) ?? places[0];
  if (found === undefined) return undefined;
  const { plugin, path } = found;
  const section = path.includes(".") ? ` as "${path}"` : "";
  return own === undefined
    ? `it is a key of ${plugin}: write it there${section}`
    : `write it${section || ' beside "type"'}`;
}

/** All values of the wrong type or out of their bounds. */
function faultsOf({ type, ipam, document }: PluginEntry): KeyError[] {
  const elsewhere = { document, variables: undefined };
  const faults = tableFaults(SHARED_KEYS, document, "", elsewhere);
  for (const { name, keys, section } of PLUGIN_KEYS) {
    if (name !== type && (name !== ipam || section === undefined)) continue;
    const value = section === undefined ? document : get(document, section);
    if (section === undefined || isObject(value))
      for (const fault of tableFaults(keys, value, section ?? "", elsewhere)) faults.push(fault);
  }
  const section = get(document, "ipam");
  if (section !== undefined && !isObject(section) && faults.length === 0 && type === "bridge")
    faults.push(new KeyError("ipam", "an object", section));
  return faults;
}

/** parse() stops at the first fault, so each key is read alone, and of a faulty list each element. */
function tableFaults(keys: Keys, value: unknown, path: string, elsewhere: Elsewhere): KeyError[] {
  const faults: KeyError[] = [];
  for (const row of keys) {
    const fault = faultIn([row], value, path, elsewhere);
    if (fault === undefined) continue;
    const deeper: KeyError[] = [];
    const [name, , , , inner, places] = row;
    if (inner && places === undefined && isObject(value)) {
      const walk = (item: unknown, at: string): void => {
        if (Array.isArray(item)) for (const [index, each] of item.entries()) walk(each, `${at}[${index}]`);
        else if (isObject(item))
          for (const each of tableFaults(inner, item, at, elsewhere)) deeper.push(each);
      };
      walk(get(value, name), path === "" ? name : `${path}.${name}`);
    }
    const isCovered = deeper.some((each) => each.path === fault.path);
    for (const each of isCovered ? deeper : [fault, ...deeper]) faults.push(each);
  }
  return faults;
}

function faultIn(keys: Keys, value: unknown, path: string, elsewhere: Elsewhere): KeyError | undefined {
  try {
    parse(keys, value as Document, path, elsewhere);
    return undefined;
  } catch (error) {
    if (error instanceof KeyError) return error;
    throw toCniError(error);
  }
}
