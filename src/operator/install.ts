/**
 * `bridgehead install [DIR]`: puts this very file under all of its names into a folder of plugins, also while containers
 * come and go there. The file is written whole under a working name, tried out, and takes its places by rename(2): at
 * each moment each name leads to a whole program, the old or the new one, and a program that runs goes on undisturbed.
 */

import { runProgram } from "../sys/child.ts";
import { read, writeAll } from "../sys/descriptor.ts";
import { describeErrno, failedWith, SystemError } from "../sys/errno.ts";
import {
  chmod,
  fsync,
  inodeAndChange,
  isDirectory,
  link,
  listDirectory,
  mkdir,
  O,
  rename,
  status,
  unlink,
  withFile,
} from "../sys/file.ts";
import { randomBytes } from "../sys/random.ts";

/** The file that runs, also when its name leads to another one by now. */
const ITSELF = "/proc/self/exe";

/** Begins a working name. It contains no plugin's name, so it is never taken for a plugin. */
const WORKING = ".install-";

/** Bytes that are read and written at once: the file is larger than the memory that an upgrade should take. */
const PIECE = 1 << 20;

/** Nanoseconds after which a working name was left behind by an installation that was killed. */
const LEFT_BEHIND = 600_000_000_000n;

/** What became of a name. */
export interface Installed {
  readonly name: string;
  /** Whether something had the name before. */
  readonly replaced: boolean;
  /** Whether it is a copy, because the file system has no hard links. */
  readonly copied: boolean;
}

/**
 * Installs this program under `names`, which take their places in this order. The folder is made if it is missing.
 * @throws Error for people: what could not be done, why, what is there now, and what to do
 */
export function install(folder: string, names: readonly string[], version: string): Installed[] {
  const done: Installed[] = [];
  const working: string[] = [];
  try {
    makeFolder(folder);
    const program = writeProgram(folder, working);
    tryOut(program, version);
    for (const name of names) done.push(giveName(name, program, folder, working));
    withFile(folder, O.RDONLY | O.DIRECTORY, 0, fsync);
    return done;
  } catch (error) {
    const cause = error instanceof SystemError ? explained(error) : (error as Error).message;
    const names = done.map(({ name }) => name).join(", ");
    const now = names === "" ? "nothing was replaced" : `${names} replaced, the rest is as it was`;
    throw new Error(`cannot install into ${JSON.stringify(folder)}: ${cause} (${now})`);
  } finally {
    for (const path of working) remove(path);
  }
}

/** Makes a folder, and what is missing above it. */
function makeFolder(folder: string): void {
  try {
    if (!isDirectory(status(folder))) throw new Error("it is not a folder");
  } catch (error) {
    if (!failedWith(error, "ENOENT")) throw error;
    const above = folder.replace(/\/*[^/]+\/*$/, "");
    if (above !== "") makeFolder(above);
    mkdir(folder, 0o755);
  }
}

/** A path in the folder that nothing has. */
const workingPath = (folder: string): string => `${folder}/${WORKING}${randomBytes(8).toHex()}`;

/** Writes a whole and durable copy of this program under a working name, one of `working`. */
function writeProgram(folder: string, working: string[]): string {
  const path = workingPath(folder);
  withFile(ITSELF, O.RDONLY, 0, (from) =>
    withFile(path, O.WRONLY | O.CREAT | O.EXCL, 0o700, (to) => {
      working.push(path);
      removeLeftBehind(folder, path);
      const piece = new Uint8Array(PIECE);
      for (let length = read(from, piece); length > 0; length = read(from, piece))
        writeAll(to, piece.subarray(0, length));
      fsync(to);
    }),
  );
  // Whatever the umask is.
  chmod(path, 0o755);
  return path;
}

/** Removes what an installation that was killed has left. The age is by the file system's clock, which `fresh` shows. */
function removeLeftBehind(folder: string, fresh: string): void {
  const now = status(fresh).modified;
  for (const name of listDirectory(folder)) {
    const path = `${folder}/${name}`;
    if (!name.startsWith(WORKING) || inodeAndChange(path) === undefined) continue;
    if (now - status(path, { followLinks: false }).modified > LEFT_BEHIND) remove(path);
  }
}

/** @throws Error unless the copy runs where it is: a mount may forbid it */
function tryOut(program: string, version: string): void {
  const path = program.startsWith("/") ? program : `./${program}`;
  let said: string;
  try {
    const { stdout, exitCode } = runProgram({ path, arguments: ["--version"], environment: {} });
    const answer = new TextDecoder().decode(stdout).trim();
    if (exitCode === 0 && answer === `bridgehead ${version}`) return;
    said = `asked for its version it says ${JSON.stringify(answer)}`;
  } catch (error) {
    said = (error as Error).message;
  }
  throw new Error(`the file does not run there: ${said}`);
}

/** Gives the program a name, whatever has that name now. */
function giveName(name: string, program: string, folder: string, working: string[]): Installed {
  const path = `${folder}/${name}`;
  const replaced = inodeAndChange(path) !== undefined;
  const linked = workingPath(folder);
  try {
    link(program, linked);
    working.push(linked);
    rename(linked, path);
    return { name, replaced, copied: false };
  } catch (error) {
    if (failedWith(error, "EISDIR")) throw new Error(`${JSON.stringify(name)} is a folder there; remove it`);
    if (!failedWith(error, "EPERM", "EOPNOTSUPP", "EMLINK")) throw error;
  }
  rename(writeProgram(folder, working), path);
  return { name, replaced, copied: true };
}

/** Removes a working name. One that took its place is gone; one that can't be removed is left to a later installation. */
function remove(path: string): void {
  try {
    unlink(path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/** A failed system call in words for people, with what to do. */
function explained(error: SystemError): string {
  const { text } = describeErrno(error.errno);
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return `${text}; run it as root`;
    case "EROFS":
      return `${text}; give the folder that the runtime is configured to search, as in "bridgehead install DIR"`;
    case "EEXIST":
      return "a link of that name points to a folder that does not exist; remove the link or make that folder";
    case "ENOSPC":
    case "EDQUOT":
      return `${text}; ${Math.ceil(status(ITSELF).size / PIECE)} MiB are needed, also to replace a file of that size`;
    default:
      return text;
  }
}
