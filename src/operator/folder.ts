/** Folders that the operator's commands read, of which some hosts have none. */
import { listDirectory } from "../sys/directory.ts";
import { failedWith, SystemError } from "../sys/errno.ts";
import { CommandError, exitCode } from "./exit-codes.ts";

/** The names in a folder; none if the folder does not exist. @throws SystemError */
export function namesIn(folder: string): string[] {
  try {
    return listDirectory(folder);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * The same, in order, of a folder that an option can name. `what` is for messages, as in "the networks in".
 * @throws CommandError if it is not a folder, or cannot be listed; SystemError for missing permissions
 */
export function namesOf(folder: string, what: string, option: string): string[] {
  try {
    return namesIn(folder).sort();
  } catch (error) {
    if (!(error instanceof SystemError) || failedWith(error, "EACCES", "EPERM")) throw error;
    throw new CommandError(
      exitCode.cannotTell,
      `cannot read ${what} ${JSON.stringify(folder)}: ${error.message}; name another folder with ${option}`,
    );
  }
}
