/** Reads this host for a command that shows attachments of any network, and says what could not be read (rules O5, O9). */
import { type HostState, readHost } from "./attachments.ts";
import { type ExitCode, exitCode } from "./exit-codes.ts";
import { problemsOf } from "./host-files.ts";
import type { Input } from "./input.ts";
import { requirePermission } from "./permission.ts";

/** The host, and what its broken files mean for the command. */
export interface ShownHost {
  readonly host: HostState;
  readonly problems: readonly string[];
  /** What is shown is right, but may lack what stands in a file that cannot be read. */
  readonly seen: ExitCode;
  /** What is not found may stand in such a file. */
  readonly notFound: ExitCode;
}

/**
 * Names the broken files on standard error.
 * @param command the command's name
 * @param task what it cannot do without permission, as in "look into namespaces"
 * @throws CommandError, CniError, NetlinkError, SystemError
 */
export async function readShownHost(
  { options, terminal }: Input,
  command: string,
  task: string,
): Promise<ShownHost> {
  requirePermission(task);
  // A rule may belong to an attachment of any network.
  const host = await readHost({ options: { ...options, network: undefined } });
  const problems = problemsOf(host);
  for (const problem of problems) terminal.stderr(`bridgehead ${command}: ${problem}\n`);
  const isWhole = problems.length === 0;
  return {
    ...{ host, problems },
    seen: isWhole ? exitCode.fine : exitCode.cannotTell,
    notFound: isWhole ? exitCode.problems : exitCode.cannotTell,
  };
}
