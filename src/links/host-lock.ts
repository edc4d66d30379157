/** The lock that parallel ADDs on one host take, against each other's undo. */
import { CniError, code } from "../cni/error.ts";
import { type FileLock, LockTimeoutError } from "../sys/flock.ts";
import { shareNetns } from "../sys/netns-lock.ts";
import { isFileFailure } from "../sys/own-file.ts";

/**
 * The lock that keeps others' undo away from what is found on the host, while it is held. Undefined where there cannot
 * be one, which `log` says: then no undo here takes anything away, and an ADD sees in the end whether its port lost the
 * bridge to the undo of another that had a lock.
 * @throws CniError code 11
 */
export function lockHost(log: (line: string) => void = () => {}): FileLock | undefined {
  try {
    return shareNetns();
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
