/** Turns errors of the system into errors of the protocol. */
import { CniError, code, toCniError } from "../cni/error.ts";
import { isFileFailure } from "../sys/own-file.ts";

/** The error, with the action that failed in front. A file that cannot be used is code 5; a CniError keeps its code. */
export function during(action: string, error: unknown): CniError {
  if (isFileFailure(error)) {
    return new CniError(code.io, `${action}: ${error.message}`, "", { cause: error });
  }
  return toCniError(error).during(action);
}
