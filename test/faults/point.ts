/** System calls at which a plugin is disturbed: which there are, by a trace of a clean run, and how strace hits one. */

/** The `when`th call of a name that a thread makes. */
export interface Point {
  readonly call: string;
  readonly when: number;
  /** The plugin of the chain that makes it, or whose child does. */
  readonly plugin?: string;
  /** The child that makes it; undefined for the plugin itself. */
  readonly child?: string;
  /** Whether the call changes something; else it only asks. */
  readonly changes: boolean;
  /** As strace showed it in the clean run. */
  readonly shown: string;
}

/** Calls that change something wherever they point to. */
const CHANGES = new Set([
  ...["sendto", "sendmsg", "write", "writev", "pwrite64", "ioctl", "setsockopt", "setns", "flock", "unshare"],
  ...["link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"],
  ...["ftruncate", "fsetxattr", "utimensat", "fsync", "fdatasync", "fchmod", "fchmodat", "chmod", "fchown"],
  ...["vfork", "fork", "clone", "clone3", "execve", "wait4", "waitid", "kill", "exit_group"],
]);

/** Calls that change nothing that outlives the process, but whose failure is one of the plugin's own. */
const ASKS = new Set([
  ...["recvfrom", "recvmsg", "read", "pread64", "openat", "open", "open_by_handle_at", "statx"],
  ...["readlink", "readlinkat", "getdents64", "poll", "ppoll"],
  ...["getsockopt", "statfs", "fgetxattr", "socket", "bind", "connect", "pipe2", "setsockopt", "ioctl"],
  ...["fcntl", "setitimer", "close_range"],
]);

/**
 * Calls that change nothing, and whose failure means nothing or cannot come with what the plugin gives them. getrandom(2)
 * does not fail for up to 256 bytes, and the runtime, which calls it as well, ends when it does. clock_gettime(2) is called by
 * the operator's commands alone, and by the compact file's start. getpid(2), which never fails, is in the lines of a trace.
 */
const NO_POINTS = new Set([
  ...["close", "geteuid", "rt_sigaction", "rt_sigprocmask", "getrandom", "clock_gettime", "getpid"],
]);

/** Whether a call is in one of the lists: each that the plugin makes must be. */
export const isListed = (call: string): boolean => CHANGES.has(call) || ASKS.has(call) || NO_POINTS.has(call);

/** What is asked of a namespace, and options of the plugin's own sockets. iptables-legacy writes with others. */
const OWN_ONLY = /^ioctl\(.*(NS_GET|_IOC_READ)|^setsockopt\(.*SOL_(NETLINK|SOCKET)/;

/** The start of another program: posix_spawn(3) clones as vfork(2) does. */
const STARTS_CHILD = /^(vfork\(|clone3?\(.*CLONE_VFORK)/;

/** A plugin that ends while it waits leaves a child behind that goes on. */
const WAITS = new Set(["epoll_wait", "epoll_pwait", "epoll_pwait2", "ppoll"]);

/** The plugin waits for its standard input before it reads it. */
const ASKS_FOR_INPUT = /^(read\(|ppoll\(\[\{fd=)0[<,]/;

/** The kernel was busy and makes the call again by itself: how often depends on what else the machine does. */
const RESTARTED = / = \? ERESTART/;

const WRITING = /O_CREAT|O_TMPFILE|O_TRUNC|O_WRONLY|O_RDWR/;

/** Threads of the runtime, terminals that it asks for: nothing of the plugin's. */
const RUNTIMES_OWN =
  /^clone3?\(.*CLONE_THREAD|^ioctl\(.*(TCGETS|TIOC|FION)|\/proc\/self\/(statm|maps|cgroup)|cgroup\//;

/**
 * The points of a trace (strace -o, with or without -f), in the order of the run. What comes before the plugin asks
 * for its standard input is the runtime's, as is what matches RUNTIMES_OWN. `child` names the program if it is no plugin:
 * then everything counts.
 */
export function pointsOf(trace: string, child?: string): Point[] {
  const counts = new Map<string, number>();
  const found = new Map<string, Point>();
  let started = child !== undefined;
  let hasChild = false;
  for (const line of trace.split("\n")) {
    const [, thread = "", shown = "", call = ""] = /^(?:(\d+) +)?(([a-z0-9_]+)\(.*)$/.exec(line) ?? [];
    if (call === "" || RESTARTED.test(line)) continue;
    const when = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, when);
    started ||= ASKS_FOR_INPUT.test(shown);
    if (!started || RUNTIMES_OWN.test(shown) || found.has(`${call} ${when}`)) continue;
    hasChild ||= STARTS_CHILD.test(shown);
    const changes =
      (CHANGES.has(call) && !OWN_ONLY.test(shown)) ||
      (hasChild && WAITS.has(call)) ||
      (/^open(at)?$/.test(call) && WRITING.test(shown));
    if (!changes && !ASKS.has(call)) continue;
    const point = { call, when, changes, shown: shown.slice(0, 120) };
    found.set(`${call} ${when}`, child === undefined ? point : { ...point, child });
  }
  return [...found.values()];
}

/** The options of strace that hit a point: `what` is "signal=KILL" or "error=EIO". */
export const injection = ({ call, when }: Point, what: string): string[] => [
  `--trace=${call}`,
  `--inject=${call}:${what}:when=${when}`,
];

/** The call that was hit, out of the trace of a disturbed run; undefined when none was. */
export function hitIn(trace: string): string | undefined {
  const lines = trace.split("\n");
  const failed = lines.find((line) => line.includes("(INJECTED)"));
  if (failed !== undefined) return failed.slice(0, 200);
  if (!lines.some((line) => line.includes("+++ killed by SIGKILL"))) return undefined;
  // All threads are killed at once; the one that was hit never came back from its call.
  const calls = lines.filter((line) => /^(\d+ +)?[a-z0-9_]+\(/.test(line));
  return (calls.findLast((line) => / = \?$/.test(line)) ?? calls.at(-1) ?? "killed").slice(0, 200);
}
