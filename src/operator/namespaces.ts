/** The network namespaces that are bound to a path, as `ip netns` and the runtimes do it. */

import type { Connection } from "../netlink/connection.ts";
import { connect, protocol } from "../netlink/index.ts";
import { getNetnsId, netnsIdOf } from "../netlink/rtnetlink/netns-id.ts";
import { SystemError } from "../sys/errno.ts";
import { readText } from "../sys/file.ts";
import { Netns, NoNamespaceError } from "../sys/netns.ts";
import type { Cache } from "./cache.ts";
import { step } from "./progress.ts";

/** A network namespace with a path. */
export interface BoundNamespace {
  readonly path: string;
  readonly inode: string;
  /** Undefined if the kernel does not tell it. */
  readonly cookie: bigint | undefined;
  /** The number by which the kernel's answers about links name it here; undefined if no link leads there. */
  readonly netnsId: number | undefined;
}

/** All bound namespaces that this process sees, by /proc/self/mountinfo. @throws SystemError */
export function boundNamespaces(host: Connection | undefined): BoundNamespace[] {
  const found: BoundNamespace[] = [];
  const paths = new Set<string>();
  for (const line of readText("/proc/self/mountinfo").split("\n")) {
    const [, , , root = "", point = ""] = line.split(" ");
    if (!root.startsWith("net:[")) continue;
    const path = unescaped(point);
    step("looking at bound network namespaces", paths.size);
    // /var/run is usually a link to /run.
    if (!paths.has(path)) for (const namespace of namespaceAt(path, host)) found.push(namespace);
    paths.add(path);
  }
  return found;
}

/** The bound namespaces, and those at other paths that libcni's cache names. @throws SystemError */
export function knownNamespaces(host: Connection, { attachments }: Cache): BoundNamespace[] {
  const bound = boundNamespaces(host);
  const known = new Set(bound.map(({ path }) => path));
  const further = new Set(attachments.flatMap(({ netns }) => (netns && !known.has(netns) ? netns : [])));
  return [...bound, ...[...further].flatMap((path) => namespaceAt(path, host))];
}

/** The namespace at a path, if one is there. */
function namespaceAt(path: string, host: Connection | undefined): BoundNamespace[] {
  try {
    using netns = Netns.open(path);
    const [outcome] = host?.getAll([getNetnsId(netns.fd)]) ?? [];
    const netnsId = netnsIdOf(outcome?.replies ?? []);
    return [
      {
        path,
        inode: netns.identity().inode,
        cookie: netns.cookie(),
        netnsId: netnsId === undefined || netnsId < 0 ? undefined : netnsId,
      },
    ];
  } catch (error) {
    if (error instanceof NoNamespaceError || error instanceof SystemError) return [];
    throw error;
  }
}

/**
 * What `look` finds in the namespace at a path; undefined if it cannot be entered: it may have ended. The thread is inside only
 * while the socket is made, which stays there and is used from here. @throws NetlinkError
 */
export function lookInside<T>(path: string, look: (inside: Connection) => T): T | undefined {
  try {
    using netns = Netns.open(path);
    using inside = netns.run(() => connect(protocol.route));
    return look(inside);
  } catch (error) {
    if (error instanceof NoNamespaceError || error instanceof SystemError) return undefined;
    throw error;
  }
}

/** proc_pid_mountinfo(5) writes blanks of paths as octal numbers. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
