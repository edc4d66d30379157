/**
 * Whether a directory is as it was: the proof that an index of its files still holds. Kernels stamp a change with the
 * time of their last tick, so two changes within a few milliseconds may bear one time. The modification time that is
 * set here is one that no change can bear: a random moment shortly before a change that has already happened.
 */

import { unlessFailed } from "../sys/errno.ts";
import { type FileStatus, status, utimensat } from "../sys/file.ts";
import { randomBelow } from "../sys/random.ts";

const UTIME_OMIT = (1n << 30n) - 2n;
const SECOND = 1_000_000_000n;

/** The state as it is now: equal texts as long as no file in the directory was created, removed or renamed. */
const textOf = ({ device, inode, modified, changed }: FileStatus): string =>
  `${device} ${inode} ${modified} ${changed}`;

/** That text; undefined if the directory cannot be looked at. */
export const stateOf = (path: string): string | undefined => unlessFailed(() => textOf(status(path)));

/**
 * Gives the directory a state that each later change alters. Undefined where that cannot be done, as on a file system
 * that keeps no fractions of a second: there, nothing can be proven.
 */
export const distinguish = (path: string): string | undefined =>
  unlessFailed(() => {
    const time = status(path).modified - 1n - BigInt(randomBelow(999_999));
    utimensat(path, BigInt64Array.of(0n, UTIME_OMIT, time / SECOND, time % SECOND));
    const after = status(path);
    return after.modified === time ? textOf(after) : undefined;
  });
