/** Explains why a program could not be started. The kernel's errno can also be about the program's interpreter. */
import { describeErrno, failedWith, SystemError } from "./errno.ts";
import { status } from "./file.ts";

/** A program did not run at all. The message says why, without its name. */
export class NotStartedError extends Error {
  override readonly name = "NotStartedError";
  /** A later start may succeed. */
  readonly isTemporary: boolean;
  /** The program changed nothing, so there is nothing to undo. */
  readonly nothingTaken = true;

  constructor(reason: string, isTemporary: boolean, options?: ErrorOptions) {
    super(reason, options);
    this.isTemporary = isTemporary;
  }
}

/** Causes and remedies, for errors of execve(2) and vfork(2) that need more than their own text. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES:
    "it may not be executed: it or its interpreter has no permission for that, or is on a file system mounted noexec",
  ENOEXEC:
    'it is not a program of this machine: a script needs a first line such as "#!/bin/sh", a binary the right architecture',
  E2BIG:
    "its environment and arguments are longer than the kernel accepts; shorten the variables of the caller",
  ETXTBSY: "another program is writing it; try again later",
  EAGAIN:
    "no more processes can be started; raise pids.max of the cgroup or the limit of processes (ulimit -u)",
  ENOMEM: "there is not enough memory to start it",
  EPERM: "the system does not allow it to start (seccomp, a security module, or permissions)",
};
const TEMPORARY = ["ETXTBSY", "EAGAIN", "ENOMEM", "EMFILE", "ENFILE"];

/** Turns a SystemError of a start into a NotStartedError. Returns any other error as it is. */
export function cannotStart(path: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const reason = error.code === "ENOENT" ? whatIsMissing(path) : REASONS[error.code];
  const text = reason ?? describeErrno(error.errno).text;
  return new NotStartedError(text, TEMPORARY.includes(error.code), { cause: error });
}

/** ENOENT also means that the file exists, but its interpreter or loader does not. */
function whatIsMissing(path: string): string {
  try {
    status(path);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return "there is no such file";
    if (!(error instanceof SystemError)) throw error;
  }
  return "the interpreter of its first line, or the loader that it was linked for, is missing on this machine";
}
