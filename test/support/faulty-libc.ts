/**
 * The system calls of src/sys/syscall.ts with faults between the caller and the kernel. A test file that imports this
 * gets it for all of src; as long as no fault is planned, everything passes through.
 */
import { mock } from "bun:test";
import { SystemError } from "../../src/sys/errno.ts";
import * as syscalls from "../../src/sys/syscall.ts";

/** The process is dead: not an error that the code under test could expect or handle. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/**
 * Looks at each call, by the kernel's name for it, before it happens, and throws what shall happen instead. Parameters
 * are the path that it is made on, if any, and then what the kernel gets.
 */
export type Fault = (call: string, parameters: readonly unknown[]) => void;

let fault: Fault | undefined;
let syncs = true;

/** From here on fsync(2) does nothing: what would be lost with the power is nothing that a test could see. */
export function withoutSyncing(): void {
  syncs = false;
}

/** Runs `body` with a fault in place. */
export async function withFault<T>(planned: Fault, body: () => Promise<T>): Promise<T> {
  fault = planned;
  try {
    return await body();
  } finally {
    fault = undefined;
  }
}

/** Calls between two of which it makes no difference when a process is killed. */
const LOOKS = [
  ...["close", "fgetxattr", "getdents64", "geteuid", "getsockopt", "ioctl", "pread64", "read"],
  ...["readlinkat", "statfs", "statx"],
];

/** Whether a kill before this call differs from one before the next. */
export const leavesTraces = (call: string): boolean => !LOOKS.includes(call);

/**
 * kill -9 before the system call with this number: that and all later ones don't happen. Descriptors are closed all
 * the same, as the kernel does, so that locks are given back.
 */
export function killAt(number: number): Fault {
  let count = 0;
  return (call) => {
    if (count++ >= number && call !== "close") throw new Killed(`killed before ${call}`);
  };
}

/** Counts calls without touching them. */
export function counter(): { fault: Fault; calls: string[] } {
  const calls: string[] = [];
  return { calls, fault: (call) => void calls.push(call) };
}

/** The call with this number fails. */
export function failAt(number: number, errno: number): Fault {
  let count = 0;
  return (call) => {
    if (count++ === number && call !== "close") throw new SystemError(call, errno);
  };
}

/** Each of these calls fails, as long as `when` says so. */
export const failEach =
  (
    calls: readonly string[],
    errno: number,
    when: (parameters: readonly unknown[]) => boolean = () => true,
  ): Fault =>
  (call, parameters) => {
    if (calls.includes(call) && when(parameters)) throw new SystemError(call, errno);
  };

const original = { ...syscalls };

mock.module("../../src/sys/syscall.ts", () => ({
  ...original,
  call: (...[name, x64, arm64, subject, ...words]: Parameters<typeof syscalls.call>) => {
    fault?.(name, [subject, ...words]);
    return name === "fsync" && !syncs ? 0 : original.call(name, x64, arm64, subject, ...words);
  },
  attempt: (...[name, ...words]: Parameters<typeof syscalls.attempt>) => {
    try {
      fault?.(name, words.slice(2));
    } catch (error) {
      if (error instanceof SystemError) return -error.errno;
      throw error;
    }
    return original.attempt(name, ...words);
  },
}));
