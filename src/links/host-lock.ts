/** The lock by which parallel ADDs on one host are protected from each other's undo. */
import { CniError, code } from "../cni/error.ts";
import { type FileLock, LockTimeoutError } from "../sys/flock.ts";
import { ownNetns, shareNetns } from "../sys/netns-lock.ts";
import { isFileFailure } from "../sys/own-file.ts";

/**
 * Takes the lock. While it is held, no undo of another ADD removes anything from the host. Returns undefined, and logs it,
 * if the lock file cannot be used. Then no undo of this process removes anything either, and the ADD verifies at its end
 * that its port still has a bridge.
 * @throws CniError code 11
 */
export const lockHost = (log: (line: string) => void = () => {}): FileLock | undefined =>
  take(shareNetns, log);

/** The same, exclusively: while it is held, no other call of this program uses what this one removes. @throws CniError code 11 */
export const ownHost = (log: (line: string) => void = () => {}): FileLock | undefined => take(ownNetns, log);

function take(lock: () => FileLock, log: (line: string) => void): FileLock | undefined {
  try {
    return lock();
  } catch (error) {
    if (error instanceof LockTimeoutError) {
      throw new CniError(
        code.tryAgainLater,
        `cannot lock the host's network namespace: ${error.message}; see which program holds it with "fuser -v ${error.path}", then try again`,
      );
    }
    if (!isFileFailure(error)) throw error;
    log(`cannot lock the host's network namespace: ${error.message}; going on without`);
    return undefined;
  }
}
