/**
 * The netns record: what a lease stores about its attachment's namespace, so that a later call can prove that the
 * namespace is gone (rules L4, L5). It is an extended attribute of the lease file, so a file that another program puts
 * in its place has none. A digest of the content shows that a program wrote another attachment into the same file.
 */
import { hash64 } from "#engine";
import { bootId } from "../sys/boot.ts";
import { SystemError, unlessFailed } from "../sys/errno.ts";
import { readLink } from "../sys/file.ts";
import { Netns, NoNamespaceError } from "../sys/netns.ts";
import type { NetnsNumbers } from "../sys/netns-handle.ts";

/** Names of the attribute, by preference. Before Linux 6.6 tmpfs had no user attributes. */
export const RECORD_ATTRIBUTES = ["user.bridgehead", "trusted.bridgehead"] as const;

/** A network namespace, and where it was seen from. */
export interface NetnsRecord {
  /** The first 16 hex digits of the kernel's boot id. */
  readonly boot: string;
  /** A cookie of 0 means unknown. */
  readonly netns: NetnsNumbers;
  /** Inode number of the pid namespace whose /proc the plugin saw. */
  readonly pidNamespace: string;
}

/** The record for the namespace at a path; undefined if it cannot be opened. */
export function takeRecord(path: string): NetnsRecord | undefined {
  try {
    using netns = Netns.open(path);
    return recordOf(netns);
  } catch (error) {
    if (error instanceof SystemError || error instanceof NoNamespaceError) return undefined;
    throw error;
  }
}

/** The record for an open namespace; undefined if /proc cannot be read. @throws SystemError */
export function recordOf(netns: Netns): NetnsRecord | undefined {
  const boot = bootId();
  const pidNamespace = ownPidNamespace();
  if (boot === undefined || pidNamespace === undefined) return undefined;
  return { boot, netns: { inode: netns.identity().inode, cookie: netns.cookie() ?? 0n }, pidNamespace };
}

/** Whether two records are for one namespace, wherever they were taken. */
export const isSameNetns = (one: NetnsRecord, other: NetnsRecord): boolean =>
  one.boot === other.boot && one.netns.inode === other.netns.inode && one.netns.cookie === other.netns.cookie;

/** Inode number of this process's pid namespace; undefined if it cannot be read. */
export function ownPidNamespace(): string | undefined {
  const link = unlessFailed(() => readLink("/proc/thread-self/ns/pid"));
  return link?.startsWith("pid:[") && link.endsWith("]") ? link.slice("pid:[".length, -1) : undefined;
}

/** The text of a record. It fits into the 60 bytes that ext4 stores in the inode itself. */
export function formatRecord({ boot, netns, pidNamespace }: NetnsRecord, content: string): string {
  const inode = BigInt(netns.inode).toString(16);
  const pid = BigInt(pidNamespace).toString(16);
  const digest = hash64(content).toString(16).padStart(16, "0").slice(0, 12);
  return `1 ${boot} ${inode} ${netns.cookie.toString(16)} ${pid} ${digest}`;
}

/** The record in a text; undefined if the text is not a record for this content. */
export function parseRecord(text: string, content: string): NetnsRecord | undefined {
  const [, boot, inode, cookie, pid] = text.split(" ");
  try {
    const record = {
      boot: BigInt(`0x${boot}`).toString(16).padStart(16, "0"),
      netns: { inode: String(BigInt(`0x${inode}`)), cookie: BigInt(`0x${cookie}`) },
      pidNamespace: String(BigInt(`0x${pid}`)),
    };
    return formatRecord(record, content) === text ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
