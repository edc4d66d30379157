/** Turns a table of keys into a table of a page in Markdown. */
import type { Key, Keys } from "./keys.ts";

/** The table of the keys that have a line of help, in their order. */
export function markdownOf(keys: Keys): string {
  const rows = keys.filter(([, , , help]) => help !== "").map(rowOf);
  return ["| key | type | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

function rowOf([name, type, fallback, help, , places]: Key): string {
  const where = places === undefined ? [`\`${name}\``] : places.split(" ").map(placeOf);
  const usual = type.endsWith("!") ? "required" : "none";
  const value = fallback === null ? usual : `\`${fallback}\``;
  return `| ${where.join(", ")} | ${wordsOf(type)} | ${value} | ${help} |`;
}

function placeOf(place: string): string {
  const variable = place.startsWith("CNI_ARGS.") ? place.slice("CNI_ARGS.".length) : undefined;
  return variable === undefined ? `\`${place}\`` : `\`${variable}=\` in \`CNI_ARGS\``;
}

/** What values of a type are, for people. */
export const describeType = (type: string): string => wordsOf(type).replaceAll("`", "");

function wordsOf(type: string): string {
  if (type.endsWith("!")) return wordsOf(type.slice(0, -1));
  if (type.endsWith("[][]")) return "list of lists";
  if (type.endsWith("[]")) return "list";
  switch (type) {
    case "boolean":
      return "`true`, `false`";
    case "integer":
      return "number";
    case "address":
      return "IP address";
    case "prefix":
      return "network";
    case "mac":
      return "MAC address";
    case "text":
    case "path":
    case "object":
      return type;
  }
  if (type === "address/length") return "IP address";
  const parts = type.split("|").map((part) => (/^\d/.test(part) ? part.replace("..", "–") : `\`${part}\``));
  return parts.join(", ");
}
