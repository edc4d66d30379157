/** What a failure of a command means for its exit code, and its message (rule O4). */
import { toCniError } from "../cni/error.ts";
import { refusedWith } from "../netlink/error.ts";
import { failedWith } from "../sys/errno.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { printable } from "./table.ts";

/** The exit code and the message, safe to print, for a failure that ended a command. */
export function explainFailure(error: unknown): { readonly exit: ExitCode; readonly message: string } {
  if (error instanceof CommandError) return { exit: error.exit, message: printable(error.message) };
  const { message: raw, cause } = toCniError(error);
  const message = printable(raw);
  const isRefused = [error, cause].some(
    (each) => refusedWith(each, "EPERM", "EACCES") || failedWith(each, "EPERM", "EACCES"),
  );
  if (!isRefused) return { exit: exitCode.problems, message };
  const remedy = "run it as root, with CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_DAC_OVERRIDE";
  return { exit: exitCode.notPermitted, message: `${message}; ${remedy}` };
}
