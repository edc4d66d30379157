/** The names in a directory, and its small files, one after the other, since it may hold thousands. All errors are SystemError. */
import { ALWAYS, O, withFile } from "./file.ts";
import { changeSeen, inodeSeen, look, NO_PATH, sizeSeen } from "./statx.ts";
import { attempt, call } from "./syscall.ts";

/** Keeps U+FEFF at the start of a name, where it is not a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** struct linux_dirent64: ino 8, off 8, reclen 2, type 1, then the name up to a NUL. */
const LENGTH = 16;
const NAME = 19;

/**
 * Calls `use` with the open directory and each name in it, "." and ".." too, in the order of the file system. A name is a C
 * string; it and what is behind it change after the call.
 */
export function forEachEntry(path: string, use: (directory: number, name: Uint8Array) => void): void {
  withFile(path, O.DIRECTORY, 0, (fd) => {
    const buffer = new Uint8Array(32768);
    const name = buffer.subarray(NAME);
    for (;;) {
      const length = call("getdents64", 217, 61, path, fd, buffer, buffer.length);
      if (length === 0) return;
      for (let at = 0, size = 0; at < length; at += size) {
        size = (buffer[at + LENGTH] ?? 0) | ((buffer[at + LENGTH + 1] ?? 0) << 8);
        // To the front, so that all names lie at one place.
        buffer.copyWithin(0, at, at + size);
        use(fd, name);
      }
    }
  });
}

/** The text of a name of forEachEntry. */
export const nameOf = (name: Uint8Array): string => decoder.decode(name.subarray(0, name.indexOf(0)));

/** Calls `use` with each name but "." and "..". */
export function forEachName(path: string, use: (name: string) => void): void {
  forEachEntry(path, (_, entry) => {
    const name = nameOf(entry);
    if (name !== "." && name !== "..") use(name);
  });
}

/** All of these names. */
export function listDirectory(path: string): string[] {
  const names: string[] = [];
  forEachName(path, (name) => names.push(name));
  return names;
}

const SMALL_FILE = ALWAYS | O.RDONLY | O.NOFOLLOW | O.NONBLOCK;

/**
 * Reads a regular file that fits into a buffer; `name` is a C string, in the open directory. Returns the number of bytes, and
 * inode number and change time (ns) from before. Undefined for other files and after failures. Cheap for many files. `inside` is
 * called while the file is open, when it was read; a FileStatus that is made there is the file's.
 */
export function readSmallFile(
  directory: number,
  name: Uint8Array,
  into: Uint8Array,
  inside?: (fd: number, length: number) => void,
): { length: number; inode: bigint; changed: bigint } | undefined {
  const fd = attempt("openat", 257, 56, directory, name, SMALL_FILE);
  if (fd < 0) return undefined;
  const size = look(fd, NO_PATH, 0x1000 /* AT_EMPTY_PATH */) === 0 ? sizeSeen() : -1;
  const length = size >= 0 && size <= into.length ? attempt("read", 0, 63, fd, into, size) : -1;
  try {
    if (length >= 0 && length === size) inside?.(fd, length);
  } finally {
    attempt("close", 3, 57, fd);
  }
  return length >= 0 && length === size ? { length, inode: inodeSeen(), changed: changeSeen() } : undefined;
}
