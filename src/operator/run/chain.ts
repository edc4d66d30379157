/**
 * The chain of a network as libcni reads it (its conf.go): lists before single configurations, the highest version that both
 * sides know, and the plugins of the folder beside the list that has the network's name.
 */
import { findVersion, SUPPORTED_VERSIONS, type Version } from "../../cni/version.ts";
import type { Document } from "../../schema/keys.ts";
import { get } from "../../schema/parse.ts";
import { readFile } from "../../sys/file.ts";
import { pluginsOf } from "../doctor/call-plugin.ts";
import { CommandError, exitCode } from "../exit-codes.ts";
import { namesIn } from "../folder.ts";
import { isDocument, type Network, readNetworks } from "../networks.ts";

/** A network that can be called. */
export interface Chain {
  readonly name: string;
  /** The file, for messages. */
  readonly file: string;
  readonly cniVersion: Version;
  readonly plugins: readonly Document[];
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** The list as libcni keeps it in its cache; a single configuration becomes a list of one. */
  readonly bytes: Uint8Array;
}

/** The chain of a name. @throws CommandError when there is none, or it cannot be read */
export function readChain(folder: string, name: string): Chain {
  const { networks, broken } = readNetworks(folder);
  const named = networks.filter((network) => network.name === name);
  const found = named.find(({ isList }) => isList) ?? named[0];
  if (found !== undefined) return chainOf(found, folder);
  const problems = broken.map(({ file, problem }) => `; ${file} is not a network: ${problem}`).join("");
  const known = networks.map((network) => JSON.stringify(network.name)).join(", ");
  throw new CommandError(
    broken.length > 0 ? exitCode.cannotTell : exitCode.wrongUse,
    `no network of ${folder} has the name ${JSON.stringify(name)}: there ${known === "" ? "is none" : `are ${known}`}${problems}`,
  );
}

function chainOf({ name, file, document, isList, plugins }: Network, folder: string): Chain {
  if (isList) return { ...cachedChain(document, file, folder), bytes: readFile(file) };
  const list = { cniVersion: get(document, "cniVersion") ?? "", name, plugins };
  return { ...cachedChain(document, file, folder), bytes: new TextEncoder().encode(JSON.stringify(list)) };
}

/**
 * The chain of a configuration that the cache has kept from ADD: a list, or that of a single plugin. `folder` is that of the
 * networks. @throws CommandError for a version that is not known
 */
export function cachedChain(document: Document, file: string, folder: string): Chain {
  const name = String(get(document, "name"));
  const isAlone = get(document, "plugins") === undefined || isTrue(document, "loadOnlyInlinedPlugins");
  return {
    name,
    file,
    cniVersion: versionOf(document, file),
    plugins: [...pluginsOf(document), ...(isAlone ? [] : beside(folder, name))],
    disableCheck: isTrue(document, "disableCheck"),
    disableGC: isTrue(document, "disableGC"),
    bytes: new TextEncoder().encode(JSON.stringify(document)),
  };
}

/** The highest version of `cniVersion` and `cniVersions` that is known. Absent means 0.1.0. @throws CommandError */
function versionOf(list: Document, file: string): Version {
  const given = [get(list, "cniVersion"), get(list, "cniVersions")].flat();
  const texts = given.filter((text) => typeof text === "string");
  const known = (texts.length === 0 ? [""] : texts).map((text) => findVersion(text));
  const best = SUPPORTED_VERSIONS.findLast((version) => known.includes(version));
  if (best !== undefined) return best;
  throw new CommandError(
    exitCode.problems,
    `cannot call the plugins of ${file}: no version of ${texts.map((text) => JSON.stringify(text)).join(", ")} is known; set "cniVersion" to one of ${SUPPORTED_VERSIONS.join(", ")}`,
  );
}

/** libcni accepts the words as well. */
const isTrue = (list: Document, key: string): boolean =>
  String(get(list, key) ?? "").toLowerCase() === "true";

/** The plugins of the folder that has the network's name, from libcni 1.3.0 on. @throws CommandError */
function beside(folder: string, name: string): Document[] {
  const files = namesIn(`${folder}/${name}`).filter((file) => file.endsWith(".conf"));
  return files.sort().map((each) => {
    const file = `${folder}/${name}/${each}`;
    const plugin = parsed(readFile(file));
    if (isDocument(plugin) && typeof get(plugin, "type") === "string") return plugin;
    throw new CommandError(
      exitCode.problems,
      `${file} is not the configuration of a plugin, and libcni would add it to network ${JSON.stringify(name)}; correct it, or set "loadOnlyInlinedPlugins"`,
    );
  });
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
