/**
 * The keys that a plugin's configuration can have, as a tree. It is made of the plugins' tables of keys, and of the keys
 * that every configuration may have (CNI specification 1.1, section 1, and the conventions for runtimeConfig and args).
 */
import { PLUGIN_KEYS, type PluginKeys } from "../../plugins/all-keys.ts";
import type { Keys } from "../../schema/keys.ts";

/** One key. */
export interface KnownKey {
  /** As it should be written. */
  readonly name: string;
  /** The keys inside of it, by their names in lower case. Without any, everything may be inside. */
  readonly inside: Map<string, KnownKey>;
}

/** Sections to which other programs add keys. */
export const SHARED_SECTIONS: readonly string[] = ["args", "cni", "capabilities", "runtimeConfig"];

/** Capabilities that runtimes know (CONVENTIONS.md of the specification). */
const CAPABILITIES =
  "portMappings ipRanges bandwidth dns ips mac infinibandGUID deviceID aliases cgroupPath io.kubernetes.cri.pod-annotations";

type Path = readonly string[];

/** Keys of every configuration of a plugin. */
const EVERYWHERE: readonly Path[] = [
  ..."$schema name type cniVersion callTimeout prevResult cni.dev/valid-attachments cni.dev/attachments"
    .split(" ")
    .map((name) => [name]),
  ["args", "cni"],
  ...CAPABILITIES.split(" ").flatMap((name) => [
    ["capabilities", name],
    ["runtimeConfig", name],
  ]),
];

const OF_LIST =
  "$schema name cniVersion cniVersions disableCheck disableGC loadOnlyInlinedPlugins plugins args";

/** The keys of a list of plugins. */
export const keysOfList = (): KnownKey => treeOf(OF_LIST.split(" ").map((name) => [name]));

/** The keys of a plugin's configuration with that IPAM plugin; undefined if the plugin is not ours. */
export function keysOfPlugin(type: string, ipam: string | undefined): KnownKey | undefined {
  const plugin = PLUGIN_KEYS.find(({ name }) => name === type);
  if (plugin === undefined) return undefined;
  const tree = treeOf([...EVERYWHERE, ...pathsOf(plugin)]);
  if (!plugin.keys.some(([name]) => name === "ipam")) return tree;
  const used = PLUGIN_KEYS.find(({ name, section }) => name === ipam && section !== undefined);
  if (used !== undefined) for (const path of pathsOf(used)) put(tree, path);
  // The keys of another IPAM plugin are its own.
  else if (ipam !== undefined) tree.inside.get("ipam")?.inside.clear();
  return tree;
}

/** All keys of that name: what has them, and where. The shortest paths come first. */
export function placesOfKey(name: string): { readonly plugin: string; readonly path: string }[] {
  const wanted = name.toLowerCase();
  const found = PLUGIN_KEYS.flatMap((plugin) =>
    pathsOf(plugin).flatMap((path) =>
      path.at(-1)?.toLowerCase() === wanted ? [{ plugin: plugin.name, path }] : [],
    ),
  );
  return found
    .sort((one, two) => one.path.length - two.path.length)
    .map(({ plugin, path }) => ({ plugin, path: path.join(".") }));
}

/** The paths of all keys of a plugin, those inside of others included. Variables have no path. */
export function pathsOf({ keys, section }: PluginKeys): Path[] {
  const paths: Path[] = section === undefined ? [] : [[section, "type"]];
  const add = (table: Keys, at: Path): void => {
    for (const [name, , , , inner, places] of table) {
      const own = places?.split(" ").filter((place) => !place.startsWith("CNI_ARGS."));
      for (const path of own?.map((place) => place.split(".")) ?? [[...at, name]]) {
        paths.push(path);
        if (inner) add(inner, path);
      }
    }
  };
  add(keys, section === undefined ? [] : [section]);
  return paths;
}

function treeOf(paths: readonly Path[]): KnownKey {
  const tree: KnownKey = { name: "", inside: new Map() };
  for (const path of paths) put(tree, path);
  return tree;
}

function put(tree: KnownKey, path: Path): void {
  let { inside } = tree;
  for (const name of path) {
    const key = inside.get(name.toLowerCase()) ?? { name, inside: new Map() };
    inside.set(name.toLowerCase(), key);
    inside = key.inside;
  }
}
