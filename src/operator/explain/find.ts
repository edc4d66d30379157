/** Finds the explanations of a code, a key, or an error's text (O16). */
import { SHARED_KEYS } from "../../cni/keys.ts";
import { PLUGIN_KEYS } from "../../plugins/all-keys.ts";
import type { Key, Keys } from "../../schema/keys.ts";
import { describeType } from "../../schema/markdown.ts";
import { CODES } from "../codes/codes.ts";
import type { CodeRow } from "../codes/row.ts";
import { LEVEL_WORDS } from "../finding.ts";
import { ERRORS_OF_ADDRESSES } from "./errors-of-addresses.ts";
import { ERRORS_OF_CALLS } from "./errors-of-calls.ts";
import { ERRORS_OF_RULES } from "./errors-of-rules.ts";
import type { ErrorRow, Explanation } from "./row.ts";

/** All well-known errors. */
export const ERRORS: readonly ErrorRow[] = [...ERRORS_OF_ADDRESSES, ...ERRORS_OF_RULES, ...ERRORS_OF_CALLS];

/** Most explanations of one text. A text of a log quotes errors of several layers. */
const MOST = 3;

/** The best explanations first; none if nothing is known. */
export function explanationsOf(text: string): Explanation[] {
  const code = CODES.find(([name]) => name === text.toUpperCase());
  if (code !== undefined) return [ofCode(code)];
  const keys = text.includes(" ") ? [] : ofKey(text);
  return keys.length > 0 ? keys : ofError(text);
}

const listOf = (issues: string): string[] => issues.split(" ").filter((issue) => issue !== "");

function ofCode([name, level, title, cause, look, remedy, issues]: CodeRow): Explanation {
  return {
    kind: "finding",
    name,
    title: `${title} (${LEVEL_WORDS[level]})`,
    cause,
    look,
    remedy,
    issues: listOf(issues),
  };
}

/** The innermost error stands at the end of a text, and is the cause of those before it. */
function ofError(text: string): Explanation[] {
  const found = ERRORS.flatMap(([pattern, title, cause, look, remedy, issues]) => {
    const match = new RegExp(pattern, "i").exec(text);
    if (match === null) return [];
    const explanation: Explanation = {
      kind: "error",
      name: match[0],
      title,
      cause,
      look,
      remedy,
      issues: listOf(issues),
    };
    return [{ explanation, end: match.index + match[0].length }];
  });
  return found
    .sort((one, two) => two.end - one.end)
    .slice(0, MOST)
    .map(({ explanation }) => explanation);
}

/** A key with the plugin in front, or all keys of that name. */
function ofKey(text: string): Explanation[] {
  const wanted = text.toLowerCase().replace(/\[\d*\]/g, "");
  const found = allKeys();
  const matching = found.filter(({ names }) => names.some((name) => name.toLowerCase() === wanted));
  if (matching.length > 0) return matching.map(({ explanation }) => explanation);
  return found.filter(({ last }) => last.toLowerCase() === wanted).map(({ explanation }) => explanation);
}

/** A key, and all that it may be called. */
interface NamedKey {
  readonly names: readonly string[];
  readonly last: string;
  readonly explanation: Explanation;
}

/** Keys of the specification, for every network. */
const SPECIFIED = [
  [
    "name",
    "text!",
    null,
    "Name of the network. It names the folder of leases, and is the network for the runtime.",
  ],
  ["cniVersion", "text", "0.1.0", "Version of the specification that the runtime speaks with the plugins."],
  ["cniVersions", "text[]", null, "Versions of the network; the runtime takes the highest that it knows."],
  ["type", "text!", null, "Name of the plugin, and of its program in CNI_PATH."],
  [
    "plugins",
    "object[]!",
    null,
    "The plugins of a list, in the order in which ADD calls them. DEL calls them in reverse.",
  ],
  ["disableCheck", "boolean", false, "The runtime does not call CHECK for this network."],
  ["disableGC", "boolean", false, "The runtime does not call GC for this network."],
  [
    "capabilities",
    "object",
    null,
    'What the runtime sends to this plugin in runtimeConfig, as {"portMappings": true}.',
  ],
  [
    "runtimeConfig",
    "object",
    null,
    "What the runtime sends. It stands in a file only if the plugin is called by hand.",
  ],
  ["args", "object", null, "Arguments of the runtime; args.cni has those that plugins share."],
  ["prevResult", "object", null, "The result of the plugins before this one. The runtime adds it."],
] as const satisfies Keys;

/** The keys of all plugins, those inside of others included. */
export function allKeys(): NamedKey[] {
  const all = namedKeys("", [...SPECIFIED, ...SHARED_KEYS], "");
  for (const { name, keys, section } of PLUGIN_KEYS)
    for (const key of namedKeys(name, keys, section ?? "")) all.push(key);
  return all;
}

function namedKeys(plugin: string, keys: Keys, at: string): NamedKey[] {
  return keys.flatMap((key) => {
    const [name, , , help, inner, places] = key;
    const paths = places?.split(" ") ?? [at === "" ? name : `${at}.${name}`];
    const own: NamedKey[] = [];
    if (help !== "") {
      const names = paths.flatMap((path) => {
        const short = path.replace(/^ipam\.(?!type$)/, "");
        return plugin === "" ? [path] : [`${plugin}.${path}`, `${plugin}.${short}`, path];
      });
      own.push({ names, last: paths[0]?.split(".").at(-1) ?? name, explanation: ofRow(plugin, key, paths) });
    }
    if (inner) for (const each of namedKeys(plugin, inner, paths[0] ?? name)) own.push(each);
    return own;
  });
}

function ofRow(plugin: string, [, type, fallback, help]: Key, paths: readonly string[]): Explanation {
  const [path = ""] = paths;
  const value =
    fallback === null
      ? type.endsWith("!")
        ? "required"
        : "no default"
      : `default ${JSON.stringify(fallback)}`;
  const others = paths.length > 1 ? `, also read from ${paths.slice(1).join(", ")}` : "";
  return {
    kind: "key",
    name: plugin === "" ? path : `${plugin}.${path.replace(/^ipam\.(?!type$)/, "")}`,
    title: `${describeType(type)}; ${value}`,
    cause: help.replaceAll("`", ""),
    look: "",
    remedy: plugin === "" ? "" : `Write it into the configuration of ${plugin} as "${path}"${others}.`,
    issues: [],
  };
}
