/** Finds the programs that hold sockets, for messages. */
import { listDirectory } from "./directory.ts";
import { unlessFailed } from "./errno.ts";
import { readLink, readText } from "./file.ts";

/** A program that holds a socket. */
export interface Holder {
  readonly pid: number;
  /** The name of its program, as in "nginx". */
  readonly program: string;
  /** It has started this process, perhaps through others. */
  readonly isAncestor: boolean;
}

/** Holders by the inode numbers of their sockets, as far as /proc shows them. Ancestors are searched first. */
export function holdersOf(inodes: ReadonlySet<number>): ReadonlyMap<number, Holder> {
  const found = new Map<number, Holder>();
  const ancestors = ancestorsOf(readLink("/proc/self"));
  for (const pid of ancestors) search(pid, inodes, true, found);
  if (found.size === inodes.size) return found;
  for (const pid of listDirectory("/proc")) {
    if (!/^\d+$/.test(pid) || ancestors.includes(pid)) continue;
    search(pid, inodes, false, found);
    if (found.size === inodes.size) break;
  }
  return found;
}

function search(
  pid: string,
  inodes: ReadonlySet<number>,
  isAncestor: boolean,
  found: Map<number, Holder>,
): void {
  for (const fd of unlessFailed(() => listDirectory(`/proc/${pid}/fd`)) ?? []) {
    const link = unlessFailed(() => readLink(`/proc/${pid}/fd/${fd}`)) ?? "";
    const inode = link.startsWith("socket:[") ? Number(link.slice("socket:[".length, -1)) : 0;
    if (!inodes.has(inode) || found.has(inode)) continue;
    const program = unlessFailed(() => readText(`/proc/${pid}/comm`).trim()) ?? "a program";
    found.set(inode, { pid: Number(pid), program, isAncestor });
  }
}

/** Process ids from the parent on, as far as this pid namespace shows them. */
function ancestorsOf(own: string): string[] {
  const ancestors: string[] = [];
  for (let pid = parentOf(own); pid !== "0" && pid !== undefined; pid = parentOf(pid)) ancestors.push(pid);
  return ancestors;
}

const parentOf = (pid: string): string | undefined =>
  /^PPid:\s*(\d+)$/m.exec(unlessFailed(() => readText(`/proc/${pid}/status`)) ?? "")?.[1];
