import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { describeErrno, failedWith, SystemError } from "../../src/sys/errno.ts";

/** The C library's numbers, by way of node:os; of two names of a number the other one. */
const NUMBERS: Readonly<Record<string, number>> = { ...constants.errno };
const ALIASES: Readonly<Record<string, string>> = { EWOULDBLOCK: "EAGAIN", ENOTSUP: "EOPNOTSUPP" };

describe("the table", () => {
  test("has the system's number for each name", () => {
    let known = 0;
    for (let errno = 1; errno < 200; errno++) {
      const { name } = describeErrno(errno);
      if (name === `errno ${errno}`) continue;
      known++;
      if (name in NUMBERS) expect([name, NUMBERS[name]]).toEqual([name, errno]);
    }
    // K20: errno 54 (EXFULL) was a bare number.
    expect(known).toBeGreaterThan(130);
    expect(describeErrno(54).name).toBe("EXFULL");
    for (let errno = 1; errno <= 133; errno++)
      if (errno !== 41 && errno !== 58) expect(describeErrno(errno).name).toMatch(/^E[A-Z0-9]+$/);
  });

  test("knows what the calls that we make can say", () => {
    const wanted =
      "EPERM ENOENT EINTR EIO EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL " +
      "ENFILE EMFILE ENOTTY EFBIG ENOSPC ESPIPE EROFS EPIPE ERANGE ENAMETOOLONG ENOSYS ENOTEMPTY ELOOP EPROTO " +
      "EOVERFLOW EMSGSIZE EOPNOTSUPP EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENOBUFS ETIMEDOUT " +
      "EHOSTUNREACH EALREADY ESTALE EDQUOT";
    for (const name of wanted.split(" ")) {
      const errno = NUMBERS[ALIASES[name] ?? name] ?? 0;
      const found = describeErrno(errno);
      expect(found.name).toBe(name);
      expect(found.text).toMatch(/^[a-z][a-z/-]+ .*[a-z]$/);
    }
  });

  test("the kernel's own ENOTSUPP, which netlink lets out", () => {
    expect(describeErrno(524)).toEqual({ name: "ENOTSUPP", text: "operation not supported" });
  });

  test("a number that is not in it", () => {
    expect(describeErrno(999)).toEqual({ name: "errno 999", text: "errno 999" });
    // Not the end of another number, nor a word of a text.
    expect(describeErrno(41).name).toBe("errno 41");
  });
});

test("SystemError names the call, what it was made on, and what came of it", () => {
  const error = new SystemError("open", 2, 'a "b"');
  expect(error.message).toBe('open "a \\"b\\"": no such file or directory (ENOENT)');
  expect([error.errno, error.code, error.name]).toEqual([2, "ENOENT", "SystemError"]);
  expect(new SystemError("read", 5).message).toBe("read: input/output error (EIO)");
});

test("failedWith looks at the code of a SystemError", () => {
  const error = new SystemError("open", 2);
  expect(failedWith(error, "ENOENT")).toBe(true);
  expect(failedWith(error, "EEXIST", "ENOENT")).toBe(true);
  expect(failedWith(error, "EEXIST")).toBe(false);
  expect(failedWith({ code: "ENOENT" }, "ENOENT")).toBe(false);
});
