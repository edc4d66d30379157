/**
 * The document of `--json` (rule O3): one object with the version of its form. Within a version, fields are only added.
 * Names are those of CNI and iproute2: `network`, `containerID`, `ifname`, `address`, `netns`.
 */

/** The version of the documents' form. */
const VERSION = 1;

/** The text of a document. Fields that are undefined are left out. */
export const documentText = (fields: Readonly<Record<string, unknown>>): string =>
  `${JSON.stringify({ version: VERSION, ...fields }, undefined, 2)}\n`;

/**
 * A number in a document that a double may not hold, as the size of an IPv6 network: it is written with all its digits
 * (ECMAScript 2026; TypeScript's library does not have it yet).
 */
export const exactNumber = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());
