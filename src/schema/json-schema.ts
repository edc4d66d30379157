/** Turns a table of keys into a JSON schema (draft 2020-12), with which editors complete and check configurations. */
import type { Key, Keys } from "./keys.ts";

/** A JSON schema. */
export interface Schema {
  [word: string]: unknown;
  properties?: Record<string, Schema>;
}

/** The schema of an object with these keys. Other keys are allowed, since parse() ignores them, but not inside of a key. */
export function schemaOf(keys: Keys): Schema {
  const schema: Schema = { type: "object", properties: {} };
  const required: string[] = [];
  for (const key of keys) {
    const [name, type, , , , places] = key;
    if (type.endsWith("!")) required.push(name);
    // Variables are not part of the document.
    const paths = places?.split(" ").filter((place) => !place.startsWith("CNI_ARGS.")) ?? [name];
    for (const path of paths) put(schema, path.split("."), schemaOfKey(key));
  }
  if (required.length > 0) schema.required = required;
  return schema;
}

function put(schema: Schema, [step = "", ...rest]: readonly string[], value: Schema): void {
  schema.properties ??= {};
  if (rest.length === 0) schema.properties[step] = value;
  else {
    schema.properties[step] ??= { type: "object" };
    put(schema.properties[step], rest, value);
  }
}

function schemaOfKey([, type, fallback, help, inner]: Key): Schema {
  return {
    ...typeOf(type.endsWith("!") ? type.slice(0, -1) : type, inner ?? undefined),
    ...(help !== "" && { description: help }),
    ...(fallback !== null && { default: fallback }),
  };
}

/** Coarse forms of addresses: what is wrong beyond them the plugins say. An empty text counts as absent. */
const PATTERNS: Readonly<Record<string, string>> = {
  address: "^[0-9A-Fa-f:.]*$",
  "address/length": "^([0-9A-Fa-f:.]+(/[0-9]{1,3})?)?$",
  prefix: "^[0-9A-Fa-f:.]+/[0-9]{1,3}$",
  mac: "^[0-9A-Fa-f:.-]*$",
};

function typeOf(type: string, inner: Keys | undefined): Schema {
  if (type.endsWith("[]")) return { type: "array", items: typeOf(type.slice(0, -2), inner) };
  switch (type) {
    case "boolean":
    case "integer":
      return { type };
    case "object":
      return inner === undefined ? { type } : { ...schemaOf(inner), additionalProperties: false };
    case "any":
      return {};
    case "text":
    case "path":
      return { type: "string" };
  }
  const pattern = PATTERNS[type];
  if (pattern !== undefined) return { type: "string", pattern };
  const parts = type.split("|");
  if (!type.includes("..")) return { enum: parts };
  const bounds = parts.map((part) => {
    const [first, last = first] = part.split("..");
    return { type: "integer", minimum: Number(first), maximum: Number(last) };
  });
  return bounds.length === 1 ? (bounds[0] ?? {}) : { anyOf: bounds };
}
