/**
 * What installations have replaced in a folder (rule O15): the files themselves, as further names of them in
 * DIR/.bridgehead-before, and a list. It names what was installed, so that a file that another program has put there since is
 * not taken for ours.
 */
import { writeAll } from "../sys/descriptor.ts";
import { failedWith } from "../sys/errno.ts";
import {
  exists,
  type FileStatus,
  fsync,
  isDirectory,
  isRegular,
  link,
  mkdir,
  O,
  readText,
  rename,
  rmdir,
  status,
  unlink,
  withFile,
} from "../sys/file.ts";

/** What is at a name: nothing, a file that was installed, one of another program, or a folder. */
export type Present = "none" | "own" | "other" | "folder";

/** Bytes and time of change (ns, as text) of an installed program. All its names have the same. */
interface Stamp {
  readonly size: number;
  readonly modified: string;
}

interface List {
  readonly version: 1;
  /** All programs that were installed. */
  readonly programs: readonly Stamp[];
  /** The names that were given, each with whether a file was there before. */
  readonly names: Readonly<Record<string, boolean>>;
}

const stampOf = ({ size, modified }: FileStatus): Stamp => ({ size, modified: String(modified) });

/** The record of a folder. */
export class Before {
  readonly folder: string;
  private readonly place: string;
  private list: List;

  /** Reads the list; it is empty if there is none. @throws SystemError, Error if it is not such a list */
  constructor(folder: string) {
    this.folder = folder;
    this.place = `${folder}/.bridgehead-before`;
    this.list = readList(`${this.place}/list`);
  }

  /** Each name that was given, with whether a file was there before. */
  get names(): readonly (readonly [name: string, hadFile: boolean])[] {
    return Object.entries(this.list.names);
  }

  /** Where the file is kept that had a name before. */
  keptPath(name: string): string {
    return `${this.place}/${name}`;
  }

  /** What is at a name of the folder. Links are not followed. @throws SystemError */
  present(name: string): Present {
    const path = `${this.folder}/${name}`;
    if (!exists(path)) return "none";
    const found = status(path, { followLinks: false });
    if (isDirectory(found)) return "folder";
    const { size, modified } = stampOf(found);
    const isOwn =
      isRegular(found) && this.list.programs.some((each) => each.size === size && each.modified === modified);
    return isOwn ? "own" : "other";
  }

  /**
   * Records that a program will get these names, and keeps the files of other programs there, before anything is replaced.
   * @throws SystemError
   */
  record(program: string, names: readonly string[]): void {
    const others = names.filter((name) => this.present(name) === "other");
    const had = names.map((name) => [name, others.includes(name) || this.list.names[name] === true]);
    this.list = {
      version: 1,
      programs: [...this.list.programs, stampOf(status(program))],
      names: { ...this.list.names, ...Object.fromEntries(had) },
    };
    if (!exists(this.place)) mkdir(this.place, 0o700);
    this.write();
    for (const name of others) {
      const kept = this.keptPath(name);
      const fresh = `${kept}.new`;
      if (exists(fresh)) unlink(fresh);
      link(`${this.folder}/${name}`, fresh);
      rename(fresh, kept);
      // rename(2) does nothing if both are names of one file.
      if (exists(fresh)) unlink(fresh);
    }
    withFile(this.place, O.RDONLY | O.DIRECTORY, 0, fsync);
  }

  /** Removes the record, and its folder if nothing else is in it. @throws SystemError */
  remove(): void {
    // A killed call may have left names that end with ".new".
    const all = this.names.map(([name]) => `${name}.new`);
    for (const name of [...all, "list.new", "list"])
      if (exists(`${this.place}/${name}`)) unlink(`${this.place}/${name}`);
    try {
      rmdir(this.place);
    } catch (error) {
      if (!failedWith(error, "ENOENT", "ENOTEMPTY", "EEXIST")) throw error;
    }
  }

  private write(): void {
    const fresh = `${this.place}/list.new`;
    withFile(fresh, O.WRONLY | O.CREAT | O.TRUNC, 0o600, (fd) => {
      writeAll(fd, new TextEncoder().encode(`${JSON.stringify(this.list)}\n`));
      fsync(fd);
    });
    rename(fresh, `${this.place}/list`);
  }
}

function readList(path: string): List {
  if (!exists(path)) return { version: 1, programs: [], names: {} };
  let json: Partial<List> | null = null;
  try {
    json = JSON.parse(readText(path)) as Partial<List> | null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (json?.version === 1 && Array.isArray(json.programs) && typeof json.names === "object")
    return json as List;
  throw new Error(`${JSON.stringify(path)} is not a list of this program; move its folder away`);
}
