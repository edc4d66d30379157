/** Takes the lock of a network's leases (rules H52, L7). */
import { CniError, code } from "../cni/error.ts";
import { FileLock, LockTimeoutError } from "../sys/flock.ts";
import { isFileFailure } from "../sys/own-file.ts";
import type { Machine } from "./boot.ts";
import type { LeaseFiles } from "./lease-files.ts";
import { LeaseStore } from "./lease-store.ts";

/**
 * The leases, locked until the store is disposed of. The directory must exist. The lock is waited for as long as the
 * call may last: enough for a hundred others that read all leases each time.
 * @throws CniError code 11 when another holds the lock for too long, code 5 when there is no locking.
 */
export async function openStore(files: LeaseFiles, machine: Machine, most?: number): Promise<LeaseStore> {
  const path = files.at("lock");
  try {
    return new LeaseStore(files, FileLock.acquire(path, most), machine.boot());
  } catch (error) {
    if (error instanceof LockTimeoutError) {
      const { describeHolder } = await import("../sys/lock-holder.ts");
      const wait = `held by ${describeHolder(path)}; waited ${Math.floor(error.milliseconds / 10) / 100} s`;
      const remedy = "try again later, or stop that program if it hangs";
      throw new CniError(code.tryAgainLater, `cannot lock ${JSON.stringify(path)}: ${wait}; ${remedy}`);
    }
    if (!isFileFailure(error)) throw error;
    const remedy =
      "without the lock no address is safe: ipam.dataDir must be a writable directory on a file system with flock(2)";
    throw new CniError(code.io, `cannot lock the leases: ${error.message}; ${remedy}`, "", { cause: error });
  }
}
