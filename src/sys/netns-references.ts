/**
 * Which network namespaces still live: whatever keeps one alive and can be found leads to it through /proc. That is a
 * task inside, an open descriptor of it, and a mount of it in a mount namespace that a process is in. Not to be found
 * is a socket that a process outside holds inside; nothing can enter a namespace by that.
 */
import { failedWith, SystemError } from "./errno.ts";
import { listDirectory, readLink, readText, status } from "./file.ts";
import { Netns, NoNamespaceError } from "./netns.ts";

/** Inode number of a network namespace (of nsfs) to its cookie; undefined for a cookie that can't be had. */
export type LiveNetns = ReadonlyMap<string, bigint | undefined>;

/** /proc can't be read in full: a namespace that was not found may live all the same. */
export class BlindSpotError extends Error {
  override readonly name = "BlindSpotError";
}

/**
 * Those of the inode numbers that belong to living namespaces.
 * @throws BlindSpotError
 */
export function findLiveNetns(wanted: ReadonlySet<string>): LiveNetns {
  const search = new Search(wanted);
  for (const entry of listDirectory("/proc")) if (/^[0-9]+$/.test(entry)) search.visit(`/proc/${entry}`);
  search.requireAllMountNamespaces();
  return search.found;
}

class Search {
  readonly found = new Map<string, bigint | undefined>();
  private readonly wanted: ReadonlySet<string>;
  private readonly mountNamespaces = new Set<string>();
  /** Mount namespaces that something other than a process keeps alive. */
  private readonly kept = new Set<string>();

  constructor(wanted: ReadonlySet<string>) {
    this.wanted = wanted;
  }

  /** A process that ends meanwhile keeps nothing alive. */
  visit(path: string): void {
    whileThere(() => {
      const mountNamespace = namespaceLink(`${path}/ns/mnt`);
      if (mountNamespace !== undefined && !this.mountNamespaces.has(mountNamespace.inode)) {
        this.mounts(path);
        this.mountNamespaces.add(mountNamespace.inode);
      }
    });
    whileThere(() => {
      for (const task of listDirectory(`${path}/task`)) {
        whileThere(() =>
          this.note(namespaceLink(`${path}/task/${task}/ns/net`), `${path}/task/${task}/ns/net`),
        );
      }
    });
    whileThere(() => {
      for (const fd of listDirectory(`${path}/fd`)) whileThere(() => this.descriptor(path, fd));
    });
  }

  /** A mount namespace without a process in it might hold a mount of a network namespace. */
  requireAllMountNamespaces(): void {
    for (const inode of this.kept) {
      if (!this.mountNamespaces.has(inode)) throw new BlindSpotError(`no process is in mnt:[${inode}]`);
    }
  }

  /** Lines of proc_pid_mountinfo(5); a mount of a namespace has the namespace as its root. */
  private mounts(path: string): void {
    for (const line of readText(`${path}/mountinfo`).split("\n")) {
      const [, , , root = "", point = ""] = line.split(" ");
      const link = parseLink(root);
      if (link === undefined) continue;
      if (link.kind === "mnt") this.kept.add(link.inode);
      this.note(link, `${path}/root${unescapeOctal(point)}`);
    }
  }

  private descriptor(path: string, fd: string): void {
    const target = readLink(`${path}/fd/${fd}`);
    const link = parseLink(target);
    if (link?.kind === "mnt") this.kept.add(link.inode);
    this.note(link, `${path}/fd/${fd}`);
    // A namespace that was opened at a mount has the mount's path, and "/" when that is gone. Its status is asked for
    // only if its number is right: a file of a dead server would never answer.
    if (link !== undefined || !target.startsWith("/")) return;
    const number = /^ino:\s*([0-9]+)$/m.exec(readText(`${path}/fdinfo/${fd}`))?.[1];
    const inode = number ?? status(`${path}/fd/${fd}`).inode;
    if (this.wanted.has(inode)) this.note({ kind: "net", inode }, `${path}/fd/${fd}`);
  }

  private note(link: NamespaceLink | undefined, path: string): void {
    if (link?.kind !== "net" || !this.wanted.has(link.inode)) return;
    if (this.found.get(link.inode) !== undefined) return;
    this.found.set(link.inode, cookieAt(path, link.inode));
  }
}

interface NamespaceLink {
  readonly kind: string;
  readonly inode: string;
}

/** "net:[4026531833]" as nsfs writes it. */
function parseLink(text: string): NamespaceLink | undefined {
  const [, kind, inode] = /^([a-z_]+):\[([0-9]+)\]$/.exec(text) ?? [];
  return kind === undefined || inode === undefined ? undefined : { kind, inode };
}

const namespaceLink = (path: string): NamespaceLink | undefined => parseLink(readLink(path));

/** Undefined also if the path leads elsewhere by now: then the inode number counts as alive. */
function cookieAt(path: string, inode: string): bigint | undefined {
  try {
    using netns = Netns.open(path);
    return netns.identity().inode === inode ? netns.cookie() : undefined;
  } catch (error) {
    if (error instanceof NoNamespaceError || error instanceof SystemError) return undefined;
    throw error;
  }
}

/** Runs `look`, for which the process or descriptor may be gone. @throws BlindSpotError if it may not be looked at. */
function whileThere(look: () => void): void {
  try {
    look();
  } catch (error) {
    if (failedWith(error, "ENOENT", "ESRCH", "EINVAL")) return;
    if (error instanceof SystemError) throw new BlindSpotError(error.message, { cause: error });
    throw error;
  }
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
