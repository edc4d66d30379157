/** What the layers' fuzz uses of Bun and the compact file lacks. */
import { now } from "#engine";

/** A copy of a JSON value. An altered array may have any member, also "constructor", which map() would call. */
const copyOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return Array.from(value, copyOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyOf(member)]));
};

/** Below 0, 0 or above, as the first array comes before the second one or behind it. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

Object.assign(globalThis, { structuredClone: copyOf, Buffer: { compare }, performance: { now } });
