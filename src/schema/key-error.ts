/** The error for a key that has a wrong value. */

/** The message has the key's path, what the key must be and what it is. A long value is cut. */
export class KeyError extends Error {
  override readonly name = "KeyError";
  readonly path: string;
  readonly expected: string;
  readonly value: unknown;
  /** The document can be decoded, but this value of the configuration is invalid or missing. */
  readonly isOfValue: boolean;

  constructor(path: string, expected: string, value: unknown, message?: string) {
    super(message ?? decodingProblem(path, expected, value));
    this.path = path;
    this.expected = expected;
    this.value = value;
    this.isOfValue = message !== undefined;
  }
}

/** The error for a value of the wrong type, or for undefined, a missing one. `path` "" is the whole document. */
export const wrongType = (path: string, expected: string, value: unknown): KeyError =>
  new KeyError(path, expected, value);

function decodingProblem(path: string, expected: string, value: unknown): string {
  const place = path === "" ? "the network configuration" : `key "${path}"`;
  const found = value === undefined ? "is missing; it must" : "must";
  const but = value === undefined ? "" : `, not ${describe(value)}`;
  return `cannot decode: ${place} ${found} be ${expected}${but}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
