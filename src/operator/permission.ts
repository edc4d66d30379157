/** Whether this process may look into namespaces and read rules, without which some commands would tell less than is there. */
import { missingForAttachments } from "../sys/capability.ts";
import { CommandError, exitCode } from "./exit-codes.ts";

/** @param action as in "tell who lives" @throws CommandError that names the capabilities that are missing (rule O4) */
export function requirePermission(action: string): void {
  const missing = missingForAttachments();
  if (missing !== undefined)
    throw new CommandError(exitCode.notPermitted, `cannot ${action}: ${missing}; run it as root`);
}
