/** Folders that the operator's commands read, of which some hosts have none. */
import { listDirectory } from "../sys/directory.ts";
import { failedWith } from "../sys/errno.ts";

/** The names in a folder; none if the folder does not exist. @throws SystemError */
export function namesIn(folder: string): string[] {
  try {
    return listDirectory(folder);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return [];
    throw error;
  }
}
