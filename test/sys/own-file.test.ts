/** K4: what is planted in the place of one of our files. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { O } from "../../src/sys/file.ts";
import { ensureOwnDirectory, ForeignFileError, openOwn, openRegular } from "../../src/sys/own-file.ts";
import { outputOf } from "../support/command.ts";
import { testUnless } from "../support/skip.ts";

const notRoot = process.getuid?.() === 0 ? undefined : "not root";
const OTHER_USER = 65534;

async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "own-file-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FLAGS = [
  ["to read", O.RDONLY],
  ["to write", O.WRONLY],
  ["to be made", O.RDWR | O.CREAT],
] as const;

/** The message with which each way to open the path is refused. */
function refusals(open: typeof openOwn, path: string): string[] {
  return FLAGS.map(([, flags]) => {
    try {
      open(path, flags, 0o600)[Symbol.dispose]();
      return "opened";
    } catch (error) {
      if (error instanceof ForeignFileError) return error.message.replace(path, "PATH");
      throw error;
    }
  });
}

/** What is there, and how it is named. */
const KINDS: readonly [string, (path: string) => unknown, string, unless?: string | undefined][] = [
  ["a fifo", (path) => outputOf(["mkfifo", path]), "is a fifo"],
  ["a directory", (path) => mkdirSync(path), "is a directory"],
  ["a link to a file", (path) => symlinkSync("/etc/passwd", path), "is a symbolic link"],
  ["a link to nothing", (path) => symlinkSync("/nowhere/x", path), "is a symbolic link"],
  ["a link to itself", (path) => symlinkSync(path, path), "is a symbolic link"],
  [
    "a socket",
    (path) => new Promise<void>((done) => createServer().listen(path, done).unref()),
    "is a socket",
  ],
  ["an endless device", (path) => outputOf(`mknod ${path} c 1 5`), "is a character device", notRoot],
  [
    "a device without a driver",
    (path) => outputOf(`mknod ${path} c 240 1`),
    "is a character device",
    notRoot,
  ],
  ["a disk", (path) => outputOf(`mknod ${path} b 7 200`), "is a block device", notRoot],
];

for (const open of [openRegular, openOwn]) {
  describe(`K4: ${open.name} refuses`, () => {
    for (const [name, plant, words, unless] of KINDS) {
      testUnless(unless)(name, () =>
        withFolder(async (folder) => {
          const path = join(folder, "file");
          await plant(path);
          expect(refusals(open, path)).toEqual(
            FLAGS.map(() => `"PATH" ${words}, not a regular file: remove it`),
          );
        }),
      );
    }
  });
}

describe("K4: openOwn refuses", () => {
  test("a further name of another file, which stays as it is", () =>
    withFolder((folder) => {
      const [other, path] = [join(folder, "other"), join(folder, "file")];
      writeFileSync(other, "precious");
      linkSync(other, path);
      expect(refusals(openOwn, path)).toEqual(
        FLAGS.map(
          () =>
            '"PATH" has 2 names (hard links), so that it may be a file of another program: remove this name',
        ),
      );
      expect(refusals(openRegular, path)).toEqual(FLAGS.map(() => "opened"));
      expect(readFileSync(other, "utf8")).toBe("precious");
    }));

  testUnless(notRoot)("a file of another user, unless the directory is that user's as well", () =>
    withFolder((folder) => {
      const path = join(folder, "file");
      writeFileSync(path, "");
      chownSync(path, OTHER_USER, 0);
      expect(refusals(openOwn, path)).toEqual(
        FLAGS.map(() => `"PATH" belongs to user ${OTHER_USER}: remove it, or give it to root with chown`),
      );
      chownSync(folder, OTHER_USER, 0);
      expect(refusals(openOwn, path)).toEqual(FLAGS.map(() => "opened"));
    }),
  );

  test("nothing that is ours, whatever its mode", () =>
    withFolder((folder) => {
      const path = join(folder, "file");
      writeFileSync(path, "");
      for (const mode of [0o600, 0o644, 0o666]) {
        chmodSync(path, mode);
        expect(refusals(openOwn, path)).toEqual(FLAGS.map(() => "opened"));
      }
    }));
});

test("K4: a missing file is the system's error, and is made where that is asked for", () =>
  withFolder((folder) => {
    const path = join(folder, "file");
    expect(() => openOwn(path, O.RDONLY)).toThrow("no such file or directory");
    openOwn(path, O.WRONLY | O.CREAT, 0o600)[Symbol.dispose]();
    expect(lstatSync(path).mode).toBe(0o100600);
  }));

describe("K4: a directory of our own", () => {
  test("is made for its owner alone, and closed if it is open to others", () =>
    withFolder((folder) => {
      const path = join(folder, "directory");
      ensureOwnDirectory(path);
      for (const mode of [0o700, 0o755, 0o777, 0]) {
        chmodSync(path, mode);
        ensureOwnDirectory(path);
        expect(lstatSync(path).mode & 0o777).toBe(0o700);
      }
    }));

  test("is never a link, or what is not a directory", () =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, "real"), { mode: 0o755 });
      const path = join(folder, "directory");
      for (const [command, words] of [
        [`ln -s real ${path}`, "is a symbolic link"],
        [`mkfifo ${path}`, "is a fifo"],
        [`touch ${path}`, "is a regular file"],
      ] as const) {
        await outputOf(command);
        expect(() => ensureOwnDirectory(path)).toThrow(`"${path}" ${words}, not a directory: remove it`);
        rmSync(path);
      }
      expect(lstatSync(join(folder, "real")).mode & 0o777).toBe(0o755);
    }));

  testUnless(notRoot)("does not belong to another user", () =>
    withFolder((folder) => {
      const path = join(folder, "directory");
      mkdirSync(path);
      chownSync(path, OTHER_USER, 0);
      expect(() => ensureOwnDirectory(path)).toThrow(`belongs to user ${OTHER_USER}`);
    }),
  );
});
