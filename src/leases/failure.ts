/** Errors of the system as errors of the protocol. */
import { CniError, code, toCniError } from "../cni/error.ts";
import { isFileFailure } from "../sys/own-file.ts";

/** The error with the action that failed in front: code 5 for a file that cannot be used, its own for a CniError. */
export function during(action: string, error: unknown): CniError {
  if (isFileFailure(error)) {
    return new CniError(code.io, `${action}: ${error.message}`, "", { cause: error });
  }
  return toCniError(error).during(action);
}
