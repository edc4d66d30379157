/**
 * Finds living network namespaces by searching /proc for what keeps them alive: tasks inside, open descriptors, and mounts
 * in the mount namespaces of processes. It cannot find a socket that an outside process holds in a namespace. No process
 * can enter a namespace through such a socket.
 */
import { listDirectory } from "./directory.ts";
import { failedWith, SystemError } from "./errno.ts";
import { readLink, readText, status } from "./file.ts";
import { Netns, NoNamespaceError } from "./netns.ts";

/** Maps the inode number (of nsfs) of a network namespace to its cookie; undefined if the cookie can't be read. */
export type LiveNetns = ReadonlyMap<string, bigint | undefined>;

/** /proc can't be read in full, so a namespace that was not found may still live. */
export class BlindSpotError extends Error {
  override readonly name = "BlindSpotError";
}

/**
 * Finds the inode numbers that belong to living namespaces.
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

  /** A process that ends during the search keeps nothing alive. */
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
          this.record(namespaceLink(`${path}/task/${task}/ns/net`), `${path}/task/${task}/ns/net`),
        );
      }
    });
    whileThere(() => {
      for (const fd of listDirectory(`${path}/fd`)) whileThere(() => this.descriptor(path, fd));
    });
  }

  /** A mount namespace without a process may hold a mount of a network namespace, which the search cannot see. */
  requireAllMountNamespaces(): void {
    for (const inode of this.kept) {
      if (!this.mountNamespaces.has(inode)) throw new BlindSpotError(`no process is in mnt:[${inode}]`);
    }
  }

  /** Reads lines of proc_pid_mountinfo(5). The root of a namespace's mount is the namespace. */
  private mounts(path: string): void {
    for (const line of readText(`${path}/mountinfo`).split("\n")) {
      const [, , , root = "", point = ""] = line.split(" ");
      const link = parseLink(root);
      if (link === undefined) continue;
      if (link.kind === "mnt") this.kept.add(link.inode);
      this.record(link, `${path}/root${unescapeOctal(point)}`);
    }
  }

  private descriptor(path: string, fd: string): void {
    const target = readLink(`${path}/fd/${fd}`);
    const link = parseLink(target);
    if (link?.kind === "mnt") this.kept.add(link.inode);
    this.record(link, `${path}/fd/${fd}`);
    // The link of a namespace that was opened at a mount is the mount's path, or "/" once that is gone. statx(2) may hang
    // on a file of a dead server, so it is called only where fdinfo shows no inode number.
    if (link !== undefined || !target.startsWith("/")) return;
    const number = /^ino:\s*([0-9]+)$/m.exec(readText(`${path}/fdinfo/${fd}`))?.[1];
    const inode = number ?? status(`${path}/fd/${fd}`).inode;
    if (this.wanted.has(inode)) this.record({ kind: "net", inode }, `${path}/fd/${fd}`);
  }

  private record(link: NamespaceLink | undefined, path: string): void {
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

/** Undefined also if the path leads elsewhere by now. Without a cookie the inode number counts as alive. */
function cookieAt(path: string, inode: string): bigint | undefined {
  try {
    using netns = Netns.open(path);
    return netns.identity().inode === inode ? netns.cookie() : undefined;
  } catch (error) {
    if (error instanceof NoNamespaceError || error instanceof SystemError) return undefined;
    throw error;
  }
}

/** Runs `look`; a process or descriptor that is gone is no error. @throws BlindSpotError if access is refused. */
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
