/** Explains why the leases could not be locked. */
import { CniError, code } from "../cni/error.ts";
import { LockTimeoutError } from "../sys/flock.ts";
import { describeHolder } from "../sys/lock-holder.ts";
import { isFileFailure } from "../sys/own-file.ts";

/** The error of a failed lock at `path`: code 11 if another process holds it, code 5 if the file cannot be used. */
export function lockFailure(path: string, error: unknown): unknown {
  if (error instanceof LockTimeoutError) {
    const wait = `held by ${describeHolder(path)}; waited ${Math.floor(error.milliseconds / 10) / 100} s`;
    const remedy = "try again later, or stop that program if it hangs";
    return new CniError(code.tryAgainLater, `cannot lock ${JSON.stringify(path)}: ${wait}; ${remedy}`);
  }
  if (!isFileFailure(error)) return error;
  const remedy =
    "addresses are allocated only under the lock; set ipam.dataDir to a writable directory on a file system with flock(2)";
  return new CniError(code.io, `cannot lock the leases: ${error.message}; ${remedy}`, "", { cause: error });
}
