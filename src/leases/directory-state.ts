/**
 * Whether a directory is as it was: the proof that an index of its files still holds. Kernels stamp a change with the
 * time of their last tick, so two changes within a few milliseconds may bear one time. The modification time that is
 * set here is one that no change can bear: a random moment shortly before a change that has already happened.
 */
import { status } from "../sys/file.ts";
import * as libc from "../sys/libc.ts";
import { randomBelow } from "../sys/random.ts";

const UTIME_OMIT = (1n << 30n) - 2n;
const SECOND = 1_000_000_000n;

/** Equal as long as no file in the directory was created, removed or renamed. */
export interface DirectoryState {
  readonly device: string;
  readonly inode: string;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** The state as it is now. @throws SystemError */
export function stateOf(path: string): DirectoryState {
  const { device, inode, modified, changed } = status(path);
  return { device, inode, modified, changed };
}

/** Whether nothing has changed between two looks. */
export const sameState = (a: DirectoryState, b: DirectoryState): boolean => textOf(a) === textOf(b);

/** A number for a state, seen since this boot of the machine: an index may have lost its last writes in a crash. */
export const proofOf = (state: DirectoryState, boot: string): bigint =>
  BigInt(Bun.hash(`${boot} ${textOf(state)}`));

/**
 * Gives the directory a state that each later change alters. Undefined where the file system keeps no fractions of a
 * second: there, nothing can be proven.
 */
export function distinguish(path: string): DirectoryState | undefined {
  const before = stateOf(path);
  const time = before.modified - 1n - BigInt(randomBelow(999_999));
  libc.utimensat(path, BigInt64Array.of(0n, UTIME_OMIT, time / SECOND, time % SECOND));
  const after = stateOf(path);
  return after.modified === time ? after : undefined;
}

const textOf = ({ device, inode, modified, changed }: DirectoryState): string =>
  `${device} ${inode} ${modified} ${changed}`;
