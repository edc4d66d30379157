/** Runs iptables-restore: one child process, one transaction. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { type Ended, runProgram } from "../../sys/child.ts";
import { timeLeft } from "../../sys/deadline.ts";
import { SystemError } from "../../sys/errno.ts";
import { LockTimeoutError, lockFile } from "../../sys/flock.ts";
import { ForeignFileError } from "../../sys/own-file.ts";
import type { TableOfIptables } from "../kernel.ts";

/** Exit status of iptables-restore for a lock that it did not get (RESOURCE_PROBLEM). */
const RESOURCE_PROBLEM = 4;

/** The default path of the lock of iptables-legacy. */
const LOCK = "/run/xtables.lock";

/**
 * Loads `lines` into a table, all or none. Rules and chains that they do not name stay.
 * @throws CniError code 11 if another program holds the lock or the child hangs; code 999 with the message of
 * iptables-restore.
 */
export function restore(path: string, table: TableOfIptables, lines: readonly string[]): void {
  const failed = `cannot change the ${table} table with ${JSON.stringify(path)}`;
  const lockHeld = (words: string): CniError =>
    new CniError(
      code.tryAgainLater,
      `${failed}: another program has held the lock ${LOCK} until the call's deadline; see which with "fuser -v ${LOCK}", then try again`,
      words,
    );
  try {
    // If the child waited for the lock and this process was killed, the child would write its rules after the next DEL.
    lockFile(LOCK)[Symbol.dispose]();
  } catch (error) {
    if (error instanceof LockTimeoutError) throw lockHeld(error.message);
    // The child would wait forever on a fifo.
    if (error instanceof ForeignFileError) throw new CniError(code.io, `${failed}: ${error.message}`);
    // If the lock cannot be taken at all, the child reports that or uses another lock.
    if (!(error instanceof SystemError)) throw error;
  }
  const { exitCode, signal, stderr } = run(path, table, lines);
  if (exitCode === 0) return;
  const words = new TextDecoder()
    .decode(stderr)
    .trim()
    .replaceAll(/\s*\n\s*/g, "; ");
  if (exitCode === RESOURCE_PROBLEM && /lock/.test(words)) throw lockHeld(words);
  const remedy = /initialize .*table/.test(words)
    ? `; load the kernel modules ip_tables, ip6_tables, iptable_${table} and ip6table_${table}, or choose the backend nftables`
    : "";
  const end = signal === undefined ? `exit status ${exitCode}` : `signal ${signal}`;
  throw new CniError(code.internal, `${failed} (${end}): ${words || "it printed no message"}${remedy}`);
}

function run(path: string, table: TableOfIptables, lines: readonly string[]): Ended {
  try {
    return runProgram({
      path,
      // Whole seconds. The lock was free a moment ago; runProgram also ends the child at the deadline.
      arguments: ["--noflush", `--wait=${Math.max(1, Math.floor(timeLeft() / 1000))}`],
      stdin: new TextEncoder().encode([`*${table}`, ...lines, "COMMIT", ""].join("\n")),
    });
  } catch (error) {
    throw toCniError(error).during(`cannot run ${JSON.stringify(path)}`);
  }
}
