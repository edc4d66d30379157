/** The protocol's error (rules A16–A18): what a failed command prints on stdout. */

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
  /** It came before anything was taken, or all was taken back: there is nothing to undo. */
  readonly nothingTaken: boolean;
  /**
   * An explanation for people that goes to stderr. For messages that others compare whole, details included: those of
   * the reference's suites (docs/conformance.md).
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

  /** The same error after what was done has been taken back, but for `left`, which the details name. */
  afterUndo(left: readonly string[]): CniError {
    const { code, message, remark } = this;
    const details = [this.details, ...left].filter((text) => text !== "").join("; ");
    return new CniError(code, message, details, { cause: this, nothingTaken: left.length === 0, remark });
  }
}

/**
 * Any thrown value as a CniError: itself; a wrong key with code 6 or 7; else with its message, and code 11 if it says itself that it is temporary,
 * 999 if not.
 */
export function toCniError(thrown: unknown): CniError {
  if (thrown instanceof CniError) return thrown;
  if (thrown instanceof KeyError)
    return new CniError(thrown.isOfValue ? code.invalidConfig : code.decoding, thrown.message, "", {
      cause: thrown,
    });
  if (isOfTheEngine(thrown)) return ownFault(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const errorCode = says(thrown, "isTemporary") ? code.tryAgainLater : code.internal;
  return new CniError(errorCode, message, "", { cause: thrown, nothingTaken: says(thrown, "nothingTaken") });
}

/** Whether the engine made an error, about a fault of this program or for want of memory. Classes of ours do not count. */
const isOfTheEngine = (thrown: unknown): thrown is Error =>
  [TypeError, RangeError, ReferenceError, SyntaxError].some(
    ({ prototype }) => thrown instanceof Error && Object.getPrototypeOf(thrown) === prototype,
  );

/** The engine's words mean nothing to a user: they are a detail, for the developer. */
function ownFault(error: Error): CniError {
  const message = /memory|call stack/i.test(error.message)
    ? "there is not enough memory for this call; send less at once, or raise the limits of this process"
    : "this is a fault of Bridgehead; please report it, with the configuration and these details";
  return new CniError(code.internal, message, error.message, { cause: error });
}

/** What an error may say of itself, whatever layer it is of. */
const says = (thrown: unknown, what: "isTemporary" | "nothingTaken"): boolean =>
  thrown instanceof Error && (thrown as Error & { [what]?: unknown })[what] === true;
