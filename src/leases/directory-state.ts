/**
 * Detects changes of a directory, so that an index of its files is used only while it is right. The kernel stamps a
 * change with the time of its last tick, so two changes within a few milliseconds can have the same time. Therefore a
 * modification time is set that no later change can get: a random moment shortly before a change in the past.
 */

import { unlessFailed } from "../sys/errno.ts";
import { type FileStatus, status, utimensat } from "../sys/file.ts";
import { randomBelow } from "../sys/random.ts";

const UTIME_OMIT = (1n << 30n) - 2n;
const SECOND = 1_000_000_000n;

/** The texts of two moments are equal if no file in the directory was created, removed or renamed between them. */
const textOf = ({ device, inode, modified, changed }: FileStatus): string =>
  `${device} ${inode} ${modified} ${changed}`;

/** That text for the present state; undefined if stat(2) fails. */
export const stateOf = (path: string): string | undefined => unlessFailed(() => textOf(status(path)));

/**
 * Gives the directory a state that each later change alters. Undefined where that fails, as on a file system that keeps
 * no fractions of a second: there, an index cannot be used.
 */
export const distinguish = (path: string): string | undefined =>
  unlessFailed(() => {
    const time = status(path).modified - 1n - BigInt(randomBelow(999_999));
    utimensat(path, BigInt64Array.of(0n, UTIME_OMIT, time / SECOND, time % SECOND));
    const after = status(path);
    return after.modified === time ? textOf(after) : undefined;
  });
