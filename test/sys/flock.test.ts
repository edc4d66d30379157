import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LockTimeoutError, lockFile } from "../../src/sys/flock.ts";
import { describeHolder, holders } from "../../src/sys/lock-holder.ts";
import { STATE_LIMIT } from "../support/limits.ts";
import { LockKeeper } from "../support/lock-keeper.ts";

async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "flock-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const acquired = (path: string, milliseconds: number) => {
  lockFile(path, milliseconds)[Symbol.dispose]();
  return "acquired";
};

describe("a lock", () => {
  test("L7: excludes others until it is given back, then not", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      {
        using _ = lockFile(path, 0);
        expect(() => acquired(path, 20)).toThrow(LockTimeoutError);
      }
      expect(acquired(path, 0)).toBe("acquired");
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }));

  test("L7: of another process ends with that process", () =>
    withFolder(async (folder) => {
      const path = join(folder, "lock");
      const keeper = await LockKeeper.on(path);
      expect(() => acquired(path, 20)).toThrow(LockTimeoutError);
      process.kill(keeper.pid, "SIGKILL");
      expect(acquired(path, STATE_LIMIT)).toBe("acquired");
      await keeper[Symbol.asyncDispose]();
    }));

  test("L7: is waited for until the deadline", () =>
    withFolder(async (folder) => {
      const path = join(folder, "lock");
      const keeper = await LockKeeper.on(path);
      const start = performance.now();
      expect(() => acquired(path, 60)).toThrow(LockTimeoutError);
      expect(performance.now() - start).toBeGreaterThanOrEqual(60);
      await keeper[Symbol.asyncDispose]();
    }));

  test("a file that was removed and made again under those who wait excludes them all", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      using _ = lockFile(path, 0);
      rmSync(path);
      {
        using _ = lockFile(path, 0);
        expect(() => acquired(path, 20)).toThrow(LockTimeoutError);
      }
      expect(existsSync(path)).toBe(true);
    }));

  test("K1: is shared with others that share it, and with no other", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      using _ = lockFile(path, 0, { shared: true });
      {
        using _ = lockFile(path, 0, { shared: true });
      }
      expect(() => acquired(path, 20)).toThrow(LockTimeoutError);
    }));

  test("K1: a file that other users could open is closed to them, and stays the same file", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      writeFileSync(path, "");
      const { ino } = statSync(path);
      // 0750 is the Go plugin's; 0 is what a umask of 0777 leaves.
      for (const mode of [0o666, 0o644, 0o640, 0o750, 0o604, 0]) {
        chmodSync(path, mode);
        expect(acquired(path, 0)).toBe("acquired");
        expect(statSync(path)).toMatchObject({ mode: 0o100600, ino });
      }
    }));

  test("K1: with refuseOpened such a file is refused, with what to do", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      writeFileSync(path, "");
      chmodSync(path, 0o604);
      expect(() => lockFile(path, 0, { refuseOpened: true })).toThrow(
        `"${path}" has mode 0604, so that other users may hold it: remove it`,
      );
      expect(statSync(path).mode & 0o777).toBe(0o604);
    }));

  test("K4: another program's file with a second name here is neither locked nor changed, unless it is private", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      const other = join(folder, "other");
      writeFileSync(other, "precious");
      chmodSync(other, 0o644);
      linkSync(other, path);
      expect(() => acquired(path, 0)).toThrow(`"${path}" has 2 names (hard links)`);
      expect(statSync(other).mode & 0o777).toBe(0o644);
      chmodSync(other, 0o600);
      expect(acquired(path, 0)).toBe("acquired");
      expect(readFileSync(other, "utf8")).toBe("precious");
    }));

  test("what is no file can't be locked", () =>
    withFolder((folder) => {
      expect(() => acquired(folder, 0)).toThrow(`"${folder}" is a directory, not a regular file`);
      expect(() => acquired(join(folder, "none", "lock"), 20)).toThrow();
    }));
});

describe("who holds a lock", () => {
  test("L7: process number and program", () =>
    withFolder(async (folder) => {
      const path = join(folder, "lock");
      await using keeper = await LockKeeper.on(path);
      const program = readFileSync(`/proc/${keeper.pid}/comm`, "utf8").trim();
      expect(describeHolder(path)).toBe(`process ${keeper.pid} (${program})`);
    }));

  test("nobody that can be seen, or no file", () =>
    withFolder((folder) => {
      const path = join(folder, "lock");
      writeFileSync(path, "");
      expect(describeHolder(path)).toBe("a process that /proc/locks does not show");
      expect(describeHolder(join(folder, "none"))).toContain("unknown process");
    }));

  test("lines of /proc/locks: those who wait, other kinds and other files don't count", () => {
    const text = [
      "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF",
      "2: FLOCK  ADVISORY  WRITE 22 fe:00:78 0 EOF",
      "3: FLOCK  ADVISORY  WRITE 33 fe:00:77 0 EOF",
      "3: -> FLOCK  ADVISORY  WRITE 44 fe:00:77 0 EOF",
      "4: FLOCK  ADVISORY  WRITE 55 00:19:77 0 EOF",
      "",
    ].join("\n");
    expect(holders(text, "77", "254:0")).toEqual(["33"]);
    expect(holders(text, "77", "0:25")).toEqual(["55"]);
    // The device of a file that stat(2) shows is not always that of its file system.
    expect(holders(text, "78", "9:9")).toEqual(["22"]);
    expect(holders(text, "79", "254:0")).toEqual([]);
  });
});
