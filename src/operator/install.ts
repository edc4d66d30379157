/**
 * `bridgehead install [DIR]`: installs this file under all of its names into a folder of plugins. The file is written under
 * a working name, tried out, and renamed with rename(2). So containers may start and stop meanwhile: each name always
 * leads to a whole program, the old or the new one, and running programs go on undisturbed. What other programs had there is
 * kept (before.ts).
 */

import { runProgram } from "../sys/child.ts";
import { read, writeAll } from "../sys/descriptor.ts";
import { listDirectory } from "../sys/directory.ts";
import { describeErrno, failedWith, SystemError } from "../sys/errno.ts";
import {
  chmod,
  fsync,
  inodeAndChange,
  isDirectory,
  link,
  mkdir,
  O,
  rename,
  status,
  unlink,
  utimensat,
  withFile,
} from "../sys/file.ts";
import { randomBytes } from "../sys/random.ts";
import { Before, type Present } from "./before.ts";
import { tooOld } from "./floor.ts";

/** The running file, even if its name leads to another one by now. */
const ITSELF = "/proc/self/exe";

/** Prefix of a working name. It contains no plugin's name, so the file is never taken for a plugin. */
const WORKING = ".install-";

/** Bytes that are copied at once: the file is larger than the memory that an upgrade should take. */
const PIECE = 1 << 20;

/** Nanoseconds after which a working name counts as left by a killed installation. */
const LEFT_BEHIND = 600_000_000_000n;

/** Nanoseconds of a second. */
const NANOSECONDS = 1_000_000_000n;

/** What is at a name before it is installed. @throws Error for people */
export function planInstall(folder: string, names: readonly string[]): { name: string; present: Present }[] {
  return explaining(folder, [], () => {
    const before = new Before(folder);
    return names.map((name) => ({ name, present: before.present(name) }));
  });
}

/** The outcome for a name. */
export interface Installed {
  readonly name: string;
  /** Whether a file had the name before. */
  readonly replaced: boolean;
  /** Whether it is a copy, because the file system has no hard links. */
  readonly copied: boolean;
}

/**
 * Installs this program under `names`, in this order. The folder is created if it is missing.
 * @throws Error for people, with the action, the cause, the state and the remedy
 */
export function install(folder: string, names: readonly string[], version: string): Installed[] {
  const done: Installed[] = [];
  const working: string[] = [];
  try {
    return explaining(folder, done, () => {
      makeFolder(folder);
      const program = writeProgram(folder, working);
      tryOut(program, ["--version"], {}, (answer) => answer.split("\n")[0] === `bridgehead ${version}`);
      const before = new Before(folder);
      for (const name of names)
        if (before.present(name) === "folder")
          throw new Error(`${JSON.stringify(name)} is a folder there; remove it`);
      keepOthers(before, program, names);
      for (const name of names) done.push(giveName(name, program, folder, working));
      withFile(folder, O.RDONLY | O.DIRECTORY, 0, fsync);
      for (const name of names)
        if (name !== "bridgehead")
          tryOut(`${folder}/${name}`, [], { CNI_COMMAND: "VERSION" }, isVersions, "{}");
      return done;
    });
  } finally {
    for (const path of working) remove(path);
  }
}

/** Turns errors into one for people. */
function explaining<T>(folder: string, done: readonly Installed[], action: () => T): T {
  try {
    return action();
  } catch (error) {
    const cause = error instanceof SystemError ? explained(error) : (error as Error).message;
    const names = done.map(({ name }) => name).join(", ");
    const now =
      names === ""
        ? "nothing was replaced"
        : `${names} replaced, the rest is as it was; "bridgehead uninstall" puts back what was there`;
    throw new Error(`cannot install into ${JSON.stringify(folder)}: ${cause} (${now})`, { cause: error });
  }
}

/** What the plugins answer to VERSION. */
const isVersions = (answer: string): boolean => answer.includes('"supportedVersions"');

function keepOthers(before: Before, program: string, names: readonly string[]): void {
  try {
    before.record(program, names);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    const others = names.filter((name) => before.present(name) === "other").join(", ");
    throw new Error(
      `this file system has no hard links, with which ${others} could be kept; move them to another folder first`,
    );
  }
}

/** Whether a file got no further name because the file system allows none: most have hard links, but up to a number. */
const hasNoLinks = (error: unknown): boolean => failedWith(error, "EPERM", "EOPNOTSUPP", "EMLINK");

/** Creates a folder and its missing parents. */
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

/** A new, unused path in the folder. */
const workingPath = (folder: string): string => `${folder}/${WORKING}${randomBytes(8).toHex()}`;

/** Writes a whole and durable copy of this program under a working name, which is added to `working`. */
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
  // The umask may have removed permissions.
  chmod(path, 0o755);
  return path;
}

/** Removes files of killed installations. Their age is measured by the file system's clock, read from `fresh`. */
function removeLeftBehind(folder: string, fresh: string): void {
  const now = status(fresh).modified;
  for (const name of listDirectory(folder)) {
    const path = `${folder}/${name}`;
    if (!name.startsWith(WORKING) || inodeAndChange(path) === undefined) continue;
    if (now - status(path, { followLinks: false }).modified > LEFT_BEHIND) remove(path);
  }
}

/** Runs the program in its place, since a mount may forbid that. @throws Error if it does not answer as it should */
function tryOut(
  program: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  isRight: (answer: string) => boolean,
  input = "",
): void {
  const path = program.startsWith("/") ? program : `./${program}`;
  const what = words[0] ?? "VERSION";
  let said: string;
  try {
    const stdin = new TextEncoder().encode(input);
    const { stdout, exitCode } = runProgram({ path, arguments: words, environment, stdin });
    const answer = new TextDecoder().decode(stdout).trim();
    if (exitCode === 0 && isRight(answer)) return;
    said = `asked for ${what}, it printed ${JSON.stringify(answer)}`;
  } catch (error) {
    said = (error as Error).message;
  }
  const name = program.includes(WORKING) ? "the file" : program;
  throw new Error(`${name} does not run there: ${said}`);
}

/** Gives the program a name, and replaces a file of that name. */
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
    if (!hasNoLinks(error)) throw error;
  }
  const copy = writeProgram(folder, working);
  // All names of an installation have one time, by which they are known later.
  const { modified } = status(program);
  const time = [modified / NANOSECONDS, modified % NANOSECONDS];
  utimensat(copy, new BigInt64Array([...time, ...time]));
  rename(copy, path);
  return { name, replaced, copied: true };
}

/** Removes a working name, if it is still there. What cannot be removed now, a later installation removes. */
function remove(path: string): void {
  try {
    unlink(path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/** Explains a failed system call, with the remedy. */
function explained(error: SystemError): string {
  const { text } = describeErrno(error.errno);
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return `${text}; run it as root`;
    case "EROFS":
      return `${text}; name the folder that the runtime is configured to search, as in "bridgehead install DIR"`;
    case "ENOSYS":
      return `${text}; ${tooOld()}`;
    case "EEXIST":
      return "a link of that name points to a folder that does not exist; remove the link or make that folder";
    case "ENOSPC":
    case "EDQUOT":
      return `${text}; ${Math.ceil(status(ITSELF).size / PIECE)} MiB are needed, also to replace a file of that size`;
    default:
      return text;
  }
}
