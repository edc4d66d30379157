/** Runs iptables-restore: one child process, one transaction. */
import { CniError, code } from "../../cni/error.ts";
import { SystemError } from "../../sys/errno.ts";
import { FileLock, LockTimeoutError } from "../../sys/flock.ts";
import { expectChildren } from "../../sys/libc.ts";
import type { Restore } from "./executable.ts";

/** Seconds to wait for the lock that all programs of the legacy variant take. Runtimes wait minutes for a plugin. */
const LOCK_SECONDS = 10;
/** After this a child that hangs is killed. */
const CHILD_SECONDS = 60;
/** Exit status of iptables-restore for a lock that it did not get (RESOURCE_PROBLEM). */
const RESOURCE_PROBLEM = 4;

/** The lock's place, where nothing else was configured. */
const LOCK = "/run/xtables.lock";

/**
 * Loads `lines` into the nat table, all or none. Rules and chains that they do not name stay.
 * @throws CniError code 11 when another program holds the lock, code 999 with the words of iptables-restore.
 */
export function restore({ path }: Restore, lines: readonly string[]): void {
  awaitLock(path);
  let child: ReturnType<typeof run>;
  try {
    child = run(path, lines);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(code.internal, `cannot run ${JSON.stringify(path)}: ${reason}`);
  }
  if (child.exitCode === 0) return;
  const words = child.stderr
    .toString()
    .trim()
    .replaceAll(/\s*\n\s*/g, "; ");
  if (child.exitCode === RESOURCE_PROBLEM && /lock/.test(words)) throw lockHeld(path, words);
  const remedy = /initialize .*table/.test(words)
    ? `; load the kernel modules ip_tables, ip6_tables, iptable_nat and ip6table_nat, or set "ipMasqBackend": "nftables"`
    : "";
  const end = child.signalCode === undefined ? `exit status ${child.exitCode}` : `signal ${child.signalCode}`;
  throw new CniError(
    code.internal,
    `cannot change the nat table with ${JSON.stringify(path)} (${end}): ${words || "it says nothing"}${remedy}`,
  );
}

function run(path: string, lines: readonly string[]) {
  expectChildren();
  return Bun.spawnSync({
    cmd: [path, "--noflush", `--wait=${LOCK_SECONDS}`],
    stdin: new TextEncoder().encode(["*nat", ...lines, "COMMIT", ""].join("\n")),
    stdout: "ignore",
    stderr: "pipe",
    timeout: CHILD_SECONDS * 1000,
  });
}

/**
 * Waits until nobody holds the lock. A child that waited for it would go on when this process is killed, and write its
 * rules after the DEL that follows.
 */
function awaitLock(path: string): void {
  try {
    FileLock.acquire(LOCK, LOCK_SECONDS * 1000)[Symbol.dispose]();
  } catch (error) {
    if (error instanceof LockTimeoutError) throw lockHeld(path, "");
    // Where it can't be taken at all, the child says so, or uses another.
    if (!(error instanceof SystemError)) throw error;
  }
}

const lockHeld = (path: string, words: string): CniError =>
  new CniError(
    code.tryAgainLater,
    `cannot change the nat table with ${JSON.stringify(path)}: another program has held the lock ${LOCK} for ` +
      `${LOCK_SECONDS} s; see who with "fuser -v ${LOCK}", then try again`,
    words,
  );
