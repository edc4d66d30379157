/**
 * The document of `--json` (rule O3): one object with the version of its form. Within a version, fields are only added.
 * Names are those of CNI and iproute2: `network`, `containerID`, `ifname`, `address`, `netns`.
 */

/** The version of the documents' form. */
const VERSION = 1;

/**
 * The text of a document. Numbers that a double cannot hold, as the sizes of IPv6 networks, are written with all their digits;
 * fields that are undefined are left out.
 */
export function documentText(fields: Readonly<Record<string, unknown>>): string {
  const whole = JSON.stringify(
    { version: VERSION, ...fields },
    (_, value: unknown) => (typeof value === "bigint" ? exactly(value) : value),
    2,
  );
  return `${whole}\n`;
}

/** A number that is written with all its digits (ECMAScript 2026; TypeScript's library does not have it yet). */
const exactly = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());
