/**
 * What a lease records of the attachment's life, so that its death can be proven later (rules L4, L5). It is an
 * extended attribute of the lease file and so comes and goes with it: a file that another program put in its place
 * has none, and a digest of the content shows when a program wrote a new owner into the same file.
 */
import type { NetnsNumbers } from "../sys/netns-handle.ts";

/** The record. */
export interface Identity {
  /** The first 16 hex digits of the kernel's boot id. */
  readonly boot: string;
  /** A cookie of 0 is unknown. */
  readonly netns: NetnsNumbers;
  /** Inode number of the pid namespace whose /proc the plugin saw. */
  readonly pidNamespace: string;
}

/** Short enough for the 60 bytes that ext4 has room for in the inode itself. */
export function formatIdentity({ boot, netns, pidNamespace }: Identity, content: string): string {
  const numbers = [BigInt(netns.inode), netns.cookie, BigInt(pidNamespace)].map((number) =>
    number.toString(16),
  );
  return ["1", boot, ...numbers, digest(content)].join(" ");
}

/** The identity recorded for this content; undefined for any other text. */
export function parseIdentity(text: string, content: string): Identity | undefined {
  const fields = /^1 ([0-9a-f]{16}) ([0-9a-f]{1,16}) ([0-9a-f]{1,16}) ([0-9a-f]{1,16}) ([0-9a-f]{12})$/.exec(
    text,
  );
  const [, boot, inode, cookie, pidNamespace, itsDigest] = fields ?? [];
  if (boot === undefined || itsDigest !== digest(content)) return undefined;
  return {
    boot,
    netns: { inode: String(BigInt(`0x${inode}`)), cookie: BigInt(`0x${cookie}`) },
    pidNamespace: String(BigInt(`0x${pidNamespace}`)),
  };
}

const digest = (content: string): string => Bun.hash(content).toString(16).padStart(16, "0").slice(0, 12);
