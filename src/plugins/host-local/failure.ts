/** Errors of the system as errors of the protocol. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { SystemError } from "../../sys/errno.ts";

/** The error with the action that failed in front: code 5 for a failed system call, its own code for a CniError. */
export function during(action: string, error: unknown): CniError {
  if (error instanceof SystemError) {
    return new CniError(code.io, `${action}: ${error.message}`, "", { cause: error });
  }
  return toCniError(error).during(action);
}
