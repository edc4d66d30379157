/**
 * `bridgehead uninstall [DIR]`: gives each name the file back that it had before the first installation, and removes those that
 * had none (rule O15). Each step is one system call, and a call that was killed is finished by the next one.
 */
import { exists, fsync, O, rename, sameFile, status, unlink, withFile } from "../sys/file.ts";
import { Before } from "./before.ts";

/** What becomes of a name. */
export interface Removal {
  readonly name: string;
  /** "forget": the name has its file already, from a call that was killed. */
  readonly action: "restore" | "remove" | "forget";
}

/**
 * What has to be done, in order: `bridgehead` comes last.
 * @throws Error that names the files which another program has put there since, and those that are lost
 */
export function planUninstall(before: Before): Removal[] {
  const removals: Removal[] = [];
  const replaced: string[] = [];
  const lost: string[] = [];
  for (const [name, hadFile] of before.names) {
    const present = before.present(name);
    const kept = before.keptPath(name);
    const isKept = exists(kept);
    if (present === "own" && hadFile && !isKept) lost.push(name);
    else if (present === "own") removals.push({ name, action: isKept ? "restore" : "remove" });
    else if (present === "none") {
      if (isKept) removals.push({ name, action: "restore" });
    } else if (isKept && sameFile(lstat(kept), lstat(`${before.folder}/${name}`)))
      removals.push({ name, action: "forget" });
    else if (isKept || !hadFile) replaced.push(name);
  }
  if (replaced.length > 0)
    throw new Error(
      `another program has replaced ${replaced.join(", ")} since the installation; move ${replaced.length === 1 ? "it" : "them"} away, or install again`,
    );
  if (lost.length > 0)
    throw new Error(
      `what ${lost.join(", ")} ${lost.length === 1 ? "was" : "were"} before is no longer in ${before.folder}/.bridgehead-before; install the other program by its own means`,
    );
  const isLast = ({ name }: Removal): boolean => name === "bridgehead";
  return [...removals.filter((each) => !isLast(each)), ...removals.filter(isLast)];
}

const lstat = (path: string) => status(path, { followLinks: false });

/** Does one step. @throws SystemError */
export function remove(before: Before, { name, action }: Removal): void {
  const kept = before.keptPath(name);
  if (action === "restore") rename(kept, `${before.folder}/${name}`);
  else unlink(action === "forget" ? kept : `${before.folder}/${name}`);
}

/** Does all of it. @throws Error for people, and SystemError; what was not done yet, the next call does */
export function uninstall(folder: string): Removal[] {
  const before = new Before(folder);
  const removals = planUninstall(before);
  for (const each of removals) remove(before, each);
  withFile(folder, O.RDONLY | O.DIRECTORY, 0, fsync);
  before.remove();
  return removals;
}
