/** Files of real directories, judged by node:fs. */

import { afterAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readToEnd, writeAll } from "../../src/sys/descriptor.ts";
import { forEachEntry, listDirectory, nameOf, readSmallFile } from "../../src/sys/directory.ts";
import { SystemError } from "../../src/sys/errno.ts";
import {
  isDirectory,
  isRegular,
  O,
  readFile,
  readLink,
  readText,
  sameFile,
  status,
  statusOf,
  withFile,
} from "../../src/sys/file.ts";
import { descriptorsSince, openDescriptors } from "../support/descriptors.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const fresh = () => join(folder, `f${count++}`);
const file = (content: string | Uint8Array = "") => {
  const path = fresh();
  writeFileSync(path, content);
  return path;
};

function codeOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return undefined;
}

describe("status", () => {
  test("says what stat(2) says", () => {
    const path = file("12345");
    linkSync(path, fresh());
    utimesSync(path, 1234567890.5, 1234567891.25);
    const judge = statSync(path, { bigint: true });
    const own = status(path);
    expect(own.inode).toBe(judge.ino.toString());
    expect(own.mode).toBe(Number(judge.mode));
    expect(own.links).toBe(2);
    expect(own.size).toBe(5);
    expect(own.modified).toBe(judge.mtimeNs);
    expect(own.modified).toBe(1234567891_250000000n);
    expect(own.changed).toBe(judge.ctimeNs);
  });

  test.each([folder, "/proc/self/status", "/dev/null", "/sys"])(
    "%s is on the device that stat(2) says",
    (path) => {
      const [high = 0n, low = 0n] = status(path).device.split(":").map(BigInt);
      // makedev of the C library.
      const device =
        ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn);
      expect(device).toBe(statSync(path, { bigint: true }).dev);
    },
  );

  test("times before the epoch, and sizes beyond 32 bits", () => {
    const path = file();
    Bun.spawnSync(["touch", "-d", "1969-12-31T23:59:58.5Z", path]);
    expect(status(path).modified).toBe(-1_500_000_000n);
    truncateSync(path, 2 ** 33 + 1);
    expect(status(path).size).toBe(2 ** 33 + 1);
  });

  test("tells kinds of files apart", () => {
    const [plain, link] = [file(), fresh()];
    symlinkSync(plain, link);
    expect([isRegular(status(plain)), isDirectory(status(plain))]).toEqual([true, false]);
    expect([isRegular(status(folder)), isDirectory(status(folder))]).toEqual([false, true]);
    expect([isRegular(status("/dev/null")), isDirectory(status("/dev/null"))]).toEqual([false, false]);
    expect(isRegular(status(link))).toBe(true);
    const own = status(link, { followLinks: false });
    expect(isRegular(own)).toBe(false);
    expect(own.inode).toBe(lstatSync(link, { bigint: true }).ino.toString());
  });

  test("of an open file, also one without a name", () => {
    const path = file("abc");
    withFile(path, O.RDONLY, 0, (fd) => {
      expect(sameFile(statusOf(fd), status(path))).toBe(true);
      rmSync(path);
      expect(statusOf(fd)).toMatchObject({ size: 3, links: 0 });
    });
  });

  test("sameFile: two names of one file, not two files of one content", () => {
    const [one, other, second] = [file("x"), fresh(), file("x")];
    linkSync(one, other);
    expect(sameFile(status(one), status(other))).toBe(true);
    expect(sameFile(status(one), status(second))).toBe(false);
  });
});

describe("content", () => {
  test.each([0, 1, 4095, 4096, 4097, 8192, 100_000])("%i bytes are read and written whole", (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, index) => index % 253);
    const path = fresh();
    withFile(path, O.WRONLY | O.CREAT | O.EXCL, 0o600, (fd) => writeAll(fd, bytes));
    expect(Uint8Array.from(readFileSync(path))).toEqual(bytes);
    expect(readFile(path)).toEqual(bytes);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  test("a pipe is read to its end, and written to through however many calls", async () => {
    const path = fresh();
    Bun.spawnSync(["mkfifo", path]);
    const writer = Bun.spawn(["sh", "-c", 'head -c 300000 /dev/zero >"$0"', path]);
    expect(withFile(path, O.RDONLY, 0, readToEnd).length).toBe(300_000);
    expect(await writer.exited).toBe(0);
    const reader = Bun.spawn(["wc", "-c", path]);
    withFile(path, O.WRONLY, 0, (fd) => writeAll(fd, new Uint8Array(300_000)));
    expect(await new Response(reader.stdout).text()).toStartWith("300000 ");
  });

  test("K4: a fifo in the place of a file of /proc is not waited for", () => {
    const path = fresh();
    Bun.spawnSync(["mkfifo", path]);
    expect(readFile(path).length).toBe(0);
  });

  test("files of /proc, whose size says 0", () => {
    expect(status("/proc/self/status").size).toBe(0);
    expect(readText("/proc/self/status")).toContain(`Pid:\t${process.pid}\n`);
  });

  test("readText: UTF-8, with U+FFFD for what is none", () => {
    expect(readText(file("grüße"))).toBe("grüße");
    expect(readText(file(Uint8Array.of(0x61, 0xff, 0x62)))).toBe("a\ufffdb");
  });
});

describe("directories", () => {
  test("an empty one", () => {
    const path = fresh();
    mkdirSync(path);
    expect(listDirectory(path)).toEqual([]);
  });

  test("more names than one call gives, short and as long as can be, dots and all", () => {
    const path = fresh();
    mkdirSync(path);
    const names = Array.from({ length: 600 }, (_, index) => `${index}`.padEnd(1 + (index % 200), "x"));
    names.push(".hidden", "...", "with space", "grüße", "n".repeat(255));
    for (const name of names) appendFileSync(join(path, name), "");
    expect(listDirectory(path).sort()).toEqual(readdirSync(path).sort());
    expect(listDirectory(path).length).toBe(new Set(names).size);
  });

  test("a file is none", () => {
    expect(codeOf(() => listDirectory(file()))).toBe("ENOTDIR");
  });

  test("readSmallFile reads each file that fits, and nothing else", () => {
    const path = fresh();
    mkdirSync(path);
    writeFileSync(join(path, "fits"), "0123456789");
    writeFileSync(join(path, "empty"), "");
    writeFileSync(join(path, "long"), "0123456789a");
    mkdirSync(join(path, "folder"));
    symlinkSync("fits", join(path, "link"));
    Bun.spawnSync(["mkfifo", join(path, "fifo")]);
    const before = openDescriptors();
    const read: Record<string, string | undefined> = {};
    forEachEntry(path, (directory, name) => {
      const into = new Uint8Array(10);
      const found = readSmallFile(directory, name, into);
      read[nameOf(name)] = found && new TextDecoder().decode(into.subarray(0, found.length));
      if (found === undefined) return;
      const judge = statSync(join(path, nameOf(name)), { bigint: true });
      expect([found.inode, found.changed]).toEqual([judge.ino, judge.ctimeNs]);
    });
    const others = { ".": undefined, "..": undefined, folder: undefined, link: undefined, fifo: undefined };
    expect(read).toEqual({ fits: "0123456789", empty: "", long: undefined, ...others });
    expect(descriptorsSince(before)).toEqual([]);
  });
});

describe("links", () => {
  test("readLink gives the target as it was written", () => {
    const link = fresh();
    symlinkSync("../nowhere/grüße", link);
    expect(readLink(link)).toBe("../nowhere/grüße");
    expect(readLink("/proc/self/exe")).toBe(realpathSync("/proc/self/exe"));
    expect(codeOf(() => readLink(file()))).toBe("EINVAL");
  });

  test("a target as long as can be", () => {
    const link = fresh();
    symlinkSync("a/".repeat(2047), link);
    expect(readLink(link)).toBe("a/".repeat(2047));
  });
});

describe("errors", () => {
  test("name the action, the path and the reason", () => {
    const path = join(folder, "missing");
    for (const call of [
      () => status(path),
      () => readFile(path),
      () => listDirectory(path),
      () => readLink(path),
    ])
      expect(codeOf(call)).toBe("ENOENT");
    expect(() => status(path)).toThrow(`look at ${JSON.stringify(path)}: no such file or directory (ENOENT)`);
    expect(codeOf(() => statusOf(-1))).toBe("EBADF");
  });

  test("a path with a NUL names no other file", () => {
    const path = `${file("x")}\0.txt`;
    for (const call of [() => status(path), () => readFile(path), () => readLink(path)])
      expect(codeOf(call)).toBe("EINVAL");
  });

  test("withFile closes the file when its user throws", () => {
    const path = file();
    const before = openDescriptors();
    expect(() =>
      withFile(path, O.RDONLY, 0, () => {
        throw new Error("user");
      }),
    ).toThrow("user");
    expect(descriptorsSince(before)).toEqual([]);
  });

  test("an opened file does not pass to children", () => {
    withFile(file(), O.RDONLY, 0, (fd) => {
      const flags = /^flags:\s+0*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`))?.[1] ?? "";
      expect(Number.parseInt(flags, 8) & O.CLOEXEC).toBe(O.CLOEXEC);
    });
  });
});
