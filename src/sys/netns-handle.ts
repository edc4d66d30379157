/** Liveness of a network namespace by its number, which the kernel reports from Linux 6.18 on (uapi linux/nsfs.h). */
import { CAP_SYS_ADMIN, hasCapability } from "./capability.ts";
import { close } from "./descriptor.ts";
import { failedWith, unlessFailed } from "./errno.ts";
import { O, readLink } from "./file.ts";
import { Netns, OWN_NETNS } from "./netns.ts";
import { call } from "./syscall.ts";

/** Stands for the file system of namespaces where a mount's descriptor is expected. */
const FD_NSFS_ROOT = -10003;
const FILEID_NSFS = 0xf1;
const CLONE_NEWNET = 0x40000000;
/** The link to the initial user namespace, with its inode number (USER_NS_INIT_INO). */
const FIRST_USER_NAMESPACE = "user:[4026531837]";

/** Identifies a network namespace. The inode number alone is reused once the namespace is gone. */
export interface NetnsNumbers {
  readonly inode: string;
  readonly cookie: bigint;
}

/**
 * A function that returns whether a namespace lives; undefined where the kernel is too old, or hides namespaces from this
 * process. It hides those of other user namespaces, and without CAP_SYS_ADMIN all but our own. For a hidden namespace it
 * answers as for one that is gone.
 */
export function netnsLiveness(): ((netns: NetnsNumbers) => boolean) | undefined {
  return unlessFailed(() => {
    if (readLink("/proc/thread-self/ns/user") !== FIRST_USER_NAMESPACE) return undefined;
    if (hasCapability(CAP_SYS_ADMIN) !== true) return undefined;
    using own = Netns.open(OWN_NETNS);
    const cookie = own.cookie();
    return cookie !== undefined && lives({ inode: own.identity().inode, cookie }) ? lives : undefined;
  });
}

/** @throws SystemError */
function lives({ inode, cookie }: NetnsNumbers): boolean {
  // struct file_handle: bytes, type; struct nsfs_file_handle: id, kind of namespace, inode number.
  const words = [
    16,
    FILEID_NSFS,
    Number(cookie & 0xffffffffn),
    Number(cookie >> 32n),
    CLONE_NEWNET,
    Number(inode),
  ];
  const handle = new Uint32Array(words);
  try {
    close(call("open_by_handle_at", 304, 265, undefined, FD_NSFS_ROOT, handle, O.CLOEXEC));
    return true;
  } catch (error) {
    if (failedWith(error, "ESTALE")) return false;
    throw error;
  }
}
