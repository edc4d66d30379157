/**
 * JSON schemas (draft 2020-12) of whole configurations, with which editors complete and check them. They refuse unknown
 * keys, which the plugins ignore: a misspelt key is what an editor should show.
 */
import { type Schema, schemaOf } from "./json-schema.ts";
import type { Keys } from "./keys.ts";

/** The keys of a plugin, and the section that holds them; undefined for the configuration itself. */
export interface SectionedKeys {
  readonly name: string;
  readonly keys: Keys;
  readonly section: string | undefined;
}

/** What the schemas are made of. */
export interface SchemaSource {
  readonly plugins: readonly SectionedKeys[];
  /** Keys of every plugin. */
  readonly shared: Keys;
}

const DRAFT = "https://json-schema.org/draft/2020-12/schema";

/** Keys of other programs, by the beginning of their names. */
const OTHERS = "^(?:nerdctl|podman_|x-|_|//|#|cni\\.dev/)";

const TEXT: Schema = { type: "string" };

/** Only these keys, and those of other programs. */
const closed = (schema: Schema): Schema => ({
  ...schema,
  patternProperties: { [OTHERS]: {} },
  additionalProperties: false,
});

const isInDocument = ([, , , , , places]: Keys[number]): boolean => places !== undefined;

/** The schema of a plugin's configuration; for an IPAM plugin that of its section. @returns undefined if it is unknown */
export function pluginSchema(type: string, source: SchemaSource): Schema | undefined {
  const plugin = source.plugins.find(({ name }) => name === type);
  if (plugin === undefined) return undefined;
  const schema = plugin.section === undefined ? ofPlugin(plugin, source) : ofSection(plugin);
  return { $schema: DRAFT, title: titleOf(plugin), ...schema };
}

const titleOf = ({ name, section }: SectionedKeys): string =>
  section === undefined ? `The configuration of the CNI plugin ${name}` : `The section ${section} of ${name}`;

/** The schema of a file: a network with a list of plugins, or one plugin's configuration. */
export function networkSchema(source: SchemaSource): Schema {
  const ours = source.plugins.filter(({ section }) => section === undefined);
  const name: Schema = {
    type: "string",
    pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    description: "Name of the network.",
  };
  const version: Schema = { type: "string", description: "Version of the specification." };
  const flag: Schema = { type: "boolean" };
  const list = closed({
    type: "object",
    properties: {
      $schema: TEXT,
      name,
      cniVersion: version,
      cniVersions: { type: "array", items: TEXT },
      disableCheck: flag,
      disableGC: flag,
      loadOnlyInlinedPlugins: flag,
      args: { type: "object" },
      plugins: { type: "array", minItems: 1, items: { $ref: "#/$defs/plugin" } },
    },
    required: ["name", "plugins"],
  });
  return {
    $schema: DRAFT,
    title: "A network of the Container Network Interface with the plugins of Bridgehead",
    type: "object",
    required: ["name"],
    if: { required: ["plugins"] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
    then: list,
    else: { $ref: "#/$defs/plugin" },
    $defs: {
      plugin: {
        type: "object",
        properties: { type: { ...TEXT, description: "Name of the plugin." } },
        required: ["type"],
        allOf: ours.map((plugin) => ({
          if: isOfType(plugin.name),
          // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
          then: ofPlugin(plugin, source),
        })),
      },
    },
  };
}

const isOfType = (name: string): Schema => ({ properties: { type: { const: name } }, required: ["type"] });

/** Everything that may be in a plugin's configuration. */
function ofPlugin(plugin: SectionedKeys, { plugins, shared }: SchemaSource): Schema {
  const own = schemaOf([...shared, ...plugin.keys]);
  const properties: Record<string, Schema> = {
    $schema: TEXT,
    name: TEXT,
    type: { const: plugin.name },
    ...own.properties,
    capabilities: { type: "object", additionalProperties: { type: "boolean" } },
  };
  const sections = plugins.filter(({ section }) => section !== undefined);
  if (plugin.keys.some(([name]) => name === "ipam")) {
    for (const { keys } of sections) merge(properties, schemaOf(keys.filter(isInDocument)).properties ?? {});
    properties.ipam = {
      ...own.properties?.ipam,
      allOf: sections.map((section) => ({
        if: isOfType(section.name),
        // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
        then: ofSection(section),
      })),
    };
  }
  properties.runtimeConfig ??= { type: "object" };
  properties.args ??= { type: "object" };
  return closed({
    ...own,
    properties,
    required: [...new Set([...((own.required as string[] | undefined) ?? []), "type"])],
  });
}

/** Everything that may be in an IPAM plugin's section. */
function ofSection({ name, keys }: SectionedKeys): Schema {
  const own = schemaOf(keys.filter((key) => !isInDocument(key)));
  return closed({
    ...own,
    properties: { type: { const: name }, ...own.properties },
    required: [...((own.required as string[] | undefined) ?? []), "type"],
  });
}

/** Adds properties, those of objects one by one. */
function merge(into: Record<string, Schema>, from: Readonly<Record<string, Schema>>): void {
  for (const [name, schema] of Object.entries(from)) {
    const known = into[name];
    if (known === undefined) into[name] = structured(schema);
    else if (known.properties !== undefined && schema.properties !== undefined)
      merge(known.properties, schema.properties);
  }
}

/** A copy whose properties can be added to. */
function structured(schema: Schema): Schema {
  if (schema.properties === undefined) return schema;
  const properties: Record<string, Schema> = {};
  merge(properties, schema.properties);
  return { ...schema, properties };
}
