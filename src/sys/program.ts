/** Finds programs as a shell does. */
import { SystemError } from "./errno.ts";
import { isProgram, status } from "./file.ts";

/**
 * Path of the first program of that name in `folders`, a value of PATH; undefined if none has it. Folders without a leading
 * slash are passed over: what is in the working directory is not trusted.
 */
export const programIn = (folders: string, name: string): string | undefined =>
  firstProgram(
    folders.split(":").filter((folder) => folder.startsWith("/")),
    name,
  );

/** Path of the first program of that name in these folders; undefined if none has it. */
export function firstProgram(folders: readonly string[], name: string): string | undefined {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    try {
      if (isProgram(status(path))) return path;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
  return undefined;
}
