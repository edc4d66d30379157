/** The protocol's error, which a failed command prints on stdout (rules A16–A18). */

import { isOutOfMemory } from "#engine";
import { KeyError } from "../schema/key-error.ts";

/** Codes of the specification, section "Error", by meaning. 100 and up are a plugin's own. */
export const code = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  notAvailableLimited: 51,
  /** The reference's code for any failure without one of its own; tools match on it. */
  internal: 999,
} as const;

/** A failure with its protocol code. `message` becomes `msg`; `details` is left out when empty. */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly code: number;
  readonly details: string;
  /** Nothing is left to undo: the call failed before it changed anything, or everything was undone. */
  readonly nothingTaken: boolean;
  /**
   * An explanation for people, printed on stderr. It is used where the reference's test suites compare the message and
   * its details (docs/conformance.md).
   */
  readonly remark: string;

  constructor(
    errorCode: number,
    message: string,
    details = "",
    options: ErrorOptions & { nothingTaken?: boolean; remark?: string } = {},
  ) {
    super(message, options);
    this.code = errorCode;
    this.details = details;
    this.nothingTaken = options.nothingTaken ?? false;
    this.remark = options.remark ?? "";
  }

  /** The same error with the action that failed in front: "failed to add veth: …". */
  during(action: string): CniError {
    const { code, message, details, nothingTaken, remark } = this;
    return new CniError(code, `${action}: ${message}`, details, { cause: this, nothingTaken, remark });
  }

  /** The same error after an undo. The details list what could not be undone (`left`). */
  afterUndo(left: readonly string[]): CniError {
    const { code, message, remark } = this;
    const details = [this.details, ...left].filter((text) => text !== "").join("; ");
    return new CniError(code, message, details, { cause: this, nothingTaken: left.length === 0, remark });
  }
}

/**
 * Any thrown value as a CniError. A KeyError gets code 6 or 7, an error with `isTemporary` code 11, any other code 999.
 */
export function toCniError(thrown: unknown): CniError {
  if (thrown instanceof CniError) return thrown;
  if (thrown instanceof KeyError)
    return new CniError(thrown.isOfValue ? code.invalidConfig : code.decoding, thrown.message, "", {
      cause: thrown,
    });
  if (isOutOfMemory(thrown) || isOfTheEngine(thrown)) return ownFault(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const errorCode = says(thrown, "isTemporary") ? code.tryAgainLater : code.internal;
  return new CniError(errorCode, message, "", { cause: thrown, nothingTaken: says(thrown, "nothingTaken") });
}

/** Whether the engine threw this error: a fault of this program, or not enough memory. Subclasses do not count. */
const isOfTheEngine = (thrown: unknown): thrown is Error =>
  [TypeError, RangeError, ReferenceError, SyntaxError].some(
    ({ prototype }) => thrown instanceof Error && Object.getPrototypeOf(thrown) === prototype,
  );

/** The engine's message means nothing to a user, so it becomes a detail for the developer. */
function ownFault(thrown: unknown): CniError {
  const details = thrown instanceof Error ? thrown.message : "";
  const message =
    isOutOfMemory(thrown) || /call stack/.test(details)
      ? "there is not enough memory for this call; send less at once, or raise the limits of this process"
      : "this is a fault of Bridgehead; please report it, with the configuration and these details";
  return new CniError(code.internal, message, details, { cause: thrown });
}

/** Whether an error of any layer has this property set. */
const says = (thrown: unknown, what: "isTemporary" | "nothingTaken"): boolean =>
  thrown instanceof Error && (thrown as Error & { [what]?: unknown })[what] === true;
