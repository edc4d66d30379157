/**
 * The C library, and the only caller of foreign functions. Each function is the system call of its name: numbers and
 * byte arrays in, a number out, and a SystemError when the call says -1. Arrays that go to the kernel are passed
 * as such, never as an address taken earlier: the engine keeps an argument alive and in place across the call.
 *
 * Files go through here too, and not through node:fs: that module costs 1.3 ms of a plugin's start
 * (docs/decisions/0002-libc-instead-of-node-fs.md), and the errno stays exact.
 */
// Long because: no other file may call the C library.
import type { FFIType, Pointer } from "bun:ffi";
import { messageOf, SystemError } from "./errno.ts";
import * as call from "./syscall-number.ts";

/** A number where it fits into one, which all results here do; else a bigint. */
const result = 15 as FFIType.i64_fast;

/** One function makes every call: each that is looked up costs every start 5 µs, and forty of them 0.2 ms. */
const SYMBOLS = {
  __errno_location: { args: [], returns: "ptr" },
  // The number too is a whole register, of which i32 would leave half to chance.
  syscall: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: result },
} as const;

/** Of these the kernel's own form needs code to return from a signal. Looked up only by code that waits with an alarm. */
const SIGNAL_SYMBOLS = {
  sched_yield: { args: [], returns: "i32" },
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
} as const;

/** What a system call takes. bun:ffi hands an array over as its address, and a number as it is, also a negative one. */
type Argument = number | ArrayBufferView | null;

interface Libc {
  /** syscall(2): the call of that number. What is missing of its six arguments is 0. */
  readonly syscall: (
    ...call: [
      number: number,
      a?: Argument,
      b?: Argument,
      c?: Argument,
      d?: Argument,
      e?: Argument,
      f?: Argument,
    ]
  ) => number;
  readonly __errno_location: () => Pointer | null;
}

/**
 * What bun:ffi is made of. The module around it normalizes paths and has types in an object, for which every start would
 * pay 0.2 ms. Its functions give an error back instead of throwing it.
 */
const { dlopen, ptr, read: peek } = (Bun as unknown as { FFI: typeof import("bun:ffi") }).FFI;

/**
 * The C library that this process has already loaded. musl answers to glibc's name with itself. On no account a name
 * that may be missing: the runtime would go on looking in the working directory.
 */
export function openLibc<Symbols extends Parameters<typeof dlopen>[1]>(symbols: Symbols) {
  const library = dlopen("libc.so.6", symbols);
  if (library instanceof Error) throw library;
  return library.symbols;
}

/** Why no function of the C library can be called; undefined when all can be. */
export let unusable: Error | undefined;

/** A C library all of whose functions fail, so that this module can be loaded and the failure be reported. */
function without(cause: unknown): Libc {
  const reason = messageOf(cause);
  unusable = new Error(
    `the C library cannot be called (${reason}): this process may have no executable memory; lift its limit of ` +
      "address space (RLIMIT_AS) or its ban on memory that is written and executed (MemoryDenyWriteExecute= of systemd, execmem of SELinux)",
  );
  const fail = () => {
    throw unusable;
  };
  return { syscall: fail, __errno_location: () => null };
}

function libcOrNone(): Libc {
  try {
    return openLibc(SYMBOLS) as unknown as Libc;
  } catch (error) {
    return without(error);
  }
}

const { syscall, __errno_location } = libcOrNone();

/** errno's place never moves within a thread. */
const errnoAt = __errno_location() as Pointer;

const EINTR = 4;

/** The value of a call, or its errno as an error. Reads errno before anything else can overwrite it. */
function checked(value: number, name: string, subject?: string): number {
  if (value >= 0) return value;
  throw new SystemError(name, peek.i32(errnoAt, 0), subject);
}

/**
 * Whether a call that gave `value` has to be made again, since a signal came in between; any other failure is an
 * error. Asked in a loop around the call: a function for each call would be one more to load in every plugin.
 */
function interrupted(value: number, name: string, subject?: string): boolean {
  if (value >= 0) return false;
  const errno = peek.i32(errnoAt, 0);
  if (errno === EINTR) return true;
  throw new SystemError(name, errno, subject);
}

const encoder = new TextEncoder();

/** A path as the kernel wants it. A NUL inside would silently name another file. */
function cString(path: string): Uint8Array {
  if (path.includes("\0")) throw new SystemError("path", 22, path);
  return encoder.encode(`${path}\0`);
}

const AT_FDCWD = -100;
const ARM = process.arch === "arm64";

/** Flags of open(2) whose values differ between the architectures are taken from the right column. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NOCTTY: 0o400,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  DIRECTORY: ARM ? 0o40000 : 0o200000,
  /** A file without a name in the directory that open(2) is given; linkat() gives it one. */
  TMPFILE: 0o20000000 | (ARM ? 0o40000 : 0o200000),
  NOFOLLOW: ARM ? 0o100000 : 0o400000,
  /** Only the place in the tree: nothing is opened, so that no permission is needed and no device is disturbed. */
  PATH: 0o10000000,
} as const;

/** open(2), never of a terminal to be that of this process. */
export function open(path: string, flags: number, mode = 0): number {
  let value: number;
  do value = syscall(call.openat, AT_FDCWD, cString(path), flags | O.CLOEXEC | O.NOCTTY, mode);
  while (interrupted(value, "open", path));
  return value;
}
/** Opens the file that a struct file_handle (uapi linux/fcntl.h) names. ESTALE: there is no such file any more. */
export const openByHandle = (mount: number, handle: Uint8Array): number =>
  checked(syscall(call.openByHandleAt, mount, handle, O.RDONLY | O.CLOEXEC), "open_by_handle_at");
export const close = (fd: number): void => void checked(syscall(call.close, fd), "close");
export function read(fd: number, buffer: Uint8Array): number {
  let value: number;
  do value = syscall(call.read, fd, buffer, buffer.length);
  while (interrupted(value, "read"));
  return value;
}
export function write(fd: number, bytes: Uint8Array): number {
  let value: number;
  do value = syscall(call.write, fd, bytes, bytes.length);
  while (interrupted(value, "write"));
  return value;
}
export function pread(fd: number, buffer: Uint8Array, offset: number): number {
  let value: number;
  do value = syscall(call.pread, fd, buffer, buffer.length, offset);
  while (interrupted(value, "pread"));
  return value;
}
export function pwrite(fd: number, bytes: Uint8Array, offset: number): number {
  let value: number;
  do value = syscall(call.pwrite, fd, bytes, bytes.length, offset);
  while (interrupted(value, "pwrite"));
  return value;
}
export function fsync(fd: number): void {
  while (interrupted(syscall(call.fsync, fd), "fsync"));
}
export function fdatasync(fd: number): void {
  while (interrupted(syscall(call.fdatasync, fd), "fdatasync"));
}
export function ftruncate(fd: number, length: number): void {
  while (interrupted(syscall(call.ftruncate, fd, length), "ftruncate"));
}
/** flock(2); the caller handles EINTR, which ends a wait when startAlarm() said so. */
export const flock = (fd: number, operation: number): void =>
  void checked(syscall(call.flock, fd, operation), "flock");

const F_GETFD = 1;
const FD_CLOEXEC = 1;
/**
 * Whether a descriptor of the first three was closed when this program was started. What is inherited survived an
 * execve(2) and so has no FD_CLOEXEC; the runtime opens /dev/null with it in the place of what is missing.
 */
export const wasClosed = (fd: number): boolean => syscall(call.fcntl, fd, F_GETFD) === FD_CLOEXEC;

const F_SETFL = 4;
/** Lets writes to an end of a pipe return instead of waiting (EAGAIN). It holds for that end only. */
export const setNonblocking = (fd: number): void =>
  void checked(syscall(call.fcntl, fd, F_SETFL, O.NONBLOCK), "fcntl");

/** A pipe: the end to read from, and the end to write to. No other program gets them. */
export function pipe(): [number, number] {
  const ends = new Int32Array(2);
  checked(syscall(call.pipe2, ends, O.CLOEXEC), "pipe");
  return [ends[0] ?? 0, ends[1] ?? 0];
}

const CLOSE_RANGE_CLOEXEC = 4;
/** Keeps all descriptors but the first three, inherited ones too, from programs that are started. From Linux 5.11 on. */
export const closeOnExec = (): void => void syscall(call.closeRange, 3, 0x7fffffff, CLOSE_RANGE_CLOEXEC);

/** Sends a signal to a process, or to a process group by its negative number. False: there is none (ESRCH). */
export const kill = (pid: number, signal: number): boolean => syscall(call.kill, pid, signal) === 0;

const P_PID = 1;
const WEXITED = 4;
const WNOHANG = 1;
const WNOWAIT = 0x0100_0000;
/**
 * Whether a child has ended: fills `info`, a siginfo_t of 128 bytes, of which si_pid is 0 otherwise. Does not wait, and
 * with `keep` leaves the child as it is, so that its number stays its own.
 */
export function waitid(pid: number, info: Uint8Array, keep: boolean): void {
  const options = WEXITED | WNOHANG | (keep ? WNOWAIT : 0);
  while (interrupted(syscall(call.waitid, P_PID, pid, info, options, null), "waitid"));
}

/** Where an array's memory is, for pointers inside of other arrays. Both have to be kept alive by their holder. */
export const addressOf = (array: Uint8Array): number => Number(ptr(array));

const SIG_UNBLOCK = 1;
const SIGALRM = 14;
const ITIMER_REAL = 0;
/** struct sigaction as glibc and musl have it: handler, 128 bytes of mask, flags, restorer. */
const SIGACTION_BYTES = 152;
const actionBefore = new Uint8Array(SIGACTION_BYTES);

/**
 * Interrupts a system call that waits (EINTR) after so many milliseconds, and again every 50: the first may come
 * right before the call. The signal's handler is a function of the C library that does nothing, since no code of this
 * program may run in one. To be followed by stopAlarm().
 */
export function startAlarm(milliseconds: number): void {
  const action = new DataView(new ArrayBuffer(SIGACTION_BYTES));
  // Bun's types know the address of a function only for functions that it compiled itself.
  const { sched_yield, sigaction } = openLibc(SIGNAL_SYMBOLS);
  const { ptr: nothing } = sched_yield as unknown as { ptr: Pointer };
  action.setBigUint64(0, BigInt(nothing), true);
  // Who started this program may have blocked the signal, and then nothing would end the wait.
  const mask = BigUint64Array.of(1n << BigInt(SIGALRM - 1));
  checked(syscall(call.rtSigprocmask, SIG_UNBLOCK, mask, null, mask.byteLength), "rt_sigprocmask");
  checked(sigaction(SIGALRM, new Uint8Array(action.buffer), actionBefore), "sigaction");
  const microseconds = Math.max(1, Math.ceil(milliseconds * 1000));
  const timer = [0, 50_000, Math.floor(microseconds / 1_000_000), microseconds % 1_000_000].map(BigInt);
  checked(syscall(call.setitimer, ITIMER_REAL, BigInt64Array.from(timer)), "setitimer");
}

const SIGCHLD = 17;
/** Bytes of the kernel's struct sigaction (asm/signal.h), of which arm64 has less, and of its set of signals. */
const KERNEL_SIGACTION = 32;
const SIGSET = 8;

/**
 * To be called before a child process is started: who started this program may ignore SIGCHLD, that is inherited, and
 * then the kernel reaps a child before anyone hears how it ended (wait(2)). All zero is SIG_DFL.
 */
export const expectChildren = (): void =>
  void checked(
    syscall(call.rtSigaction, SIGCHLD, new Uint8Array(KERNEL_SIGACTION), null, SIGSET),
    "sigaction",
  );

/** Takes back startAlarm(). */
export function stopAlarm(): void {
  checked(syscall(call.setitimer, ITIMER_REAL, new BigInt64Array(4)), "setitimer");
  checked(openLibc(SIGNAL_SYMBOLS).sigaction(SIGALRM, actionBefore, null), "sigaction");
}

export const link = (from: string, to: string): void =>
  void checked(syscall(call.linkat, AT_FDCWD, cString(from), AT_FDCWD, cString(to)), "link", to);

const AT_SYMLINK_FOLLOW = 0x400;
/** Gives the file behind a descriptor a name that must not exist yet, by way of its link in /proc. */
export const linkDescriptor = (fd: number, to: string): void =>
  void checked(
    syscall(call.linkat, AT_FDCWD, cString(`/proc/self/fd/${fd}`), AT_FDCWD, cString(to), AT_SYMLINK_FOLLOW),
    "linkat",
    to,
  );
export const rename = (from: string, to: string): void =>
  void checked(syscall(call.renameat, AT_FDCWD, cString(from), AT_FDCWD, cString(to)), "rename", to);
export const unlink = (path: string): void =>
  void checked(syscall(call.unlinkat, AT_FDCWD, cString(path)), "unlink", path);
export const mkdir = (path: string, mode: number): void =>
  void checked(syscall(call.mkdirat, AT_FDCWD, cString(path), mode), "mkdir", path);
/** chmod(2). Links are followed. */
export const chmod = (path: string, mode: number): void =>
  void checked(syscall(call.fchmodat, AT_FDCWD, cString(path), mode), "fchmodat", path);
/** chmod(2) of what a descriptor stands for, also one with O_PATH, by way of its link in /proc. */
export const chmodDescriptor = (fd: number, mode: number): void => chmod(`/proc/self/fd/${fd}`, mode);

/** Sets an extended attribute of an open file; xattr(7) says which names there are. */
export const fsetxattr = (fd: number, name: string, value: Uint8Array): void =>
  void checked(syscall(call.fsetxattr, fd, cString(name), value, value.length), "fsetxattr", name);
/** Bytes of the attribute's value, which must fit into `buffer` (else ERANGE). ENODATA: the file has none. */
export const fgetxattr = (fd: number, name: string, buffer: Uint8Array): number =>
  checked(syscall(call.fgetxattr, fd, cString(name), buffer, buffer.length), "fgetxattr", name);
/** Sets access and modification time of a path from two struct timespec of 64-bit fields. */
export const utimensat = (path: string, times: BigInt64Array): void =>
  void checked(syscall(call.utimensat, AT_FDCWD, cString(path), times), "utimensat", path);
/** Bytes of the link's target that fitted into `buffer`. */
export const readlink = (path: string, buffer: Uint8Array): number =>
  checked(syscall(call.readlinkat, AT_FDCWD, cString(path), buffer, buffer.length), "readlink", path);

/** statx(2) into a 256-byte struct statx. An empty path with AT_EMPTY_PATH means the descriptor itself. */
export const statx = (dirfd: number, path: string, flags: number, mask: number, out: Uint8Array): void =>
  void checked(syscall(call.statx, dirfd, cString(path), flags, mask, out), "statx", path);

/** statfs(2) into a struct statfs (asm/statfs.h) of at most 120 bytes. */
export const statfs = (path: string, out: Uint8Array): void =>
  void checked(syscall(call.statfs, cString(path), out), "statfs", path);

/** getdents64(2): bytes of struct linux_dirent64 written; 0 at the end. */
export const getdents64 = (fd: number, buffer: Uint8Array): number =>
  checked(syscall(call.getdents64, fd, buffer, buffer.length), "getdents64");

/** getrandom(2), which fills up to 256 bytes whole. */
export function getrandom(buffer: Uint8Array): void {
  while (interrupted(syscall(call.getrandom, buffer, buffer.length), "getrandom"));
}
export const setns = (fd: number, kind: number): void => void checked(syscall(call.setns, fd, kind), "setns");
/** ioctl(2) with an argument that is a buffer or nothing; returns what the call returned. */
export const ioctl = (fd: number, request: number, argument: Uint8Array | null): number =>
  checked(syscall(call.ioctl, fd, request, argument), "ioctl");
/** poll(2) on an array of struct pollfd; 0 when `timeout` milliseconds passed. */
export function poll(fds: Uint8Array, count: number, timeout: number): number {
  // struct timespec, in which the kernel counts down, also when a signal comes in between.
  const left = BigInt64Array.of(BigInt(Math.floor(timeout / 1000)), BigInt((timeout % 1000) * 1_000_000));
  let value: number;
  do value = syscall(call.ppoll, fds, count, left);
  while (interrupted(value, "poll"));
  return value;
}

export const socket = (domain: number, type: number, protocol: number): number =>
  checked(syscall(call.socket, domain, type, protocol), "socket");
export const bind = (fd: number, address: Uint8Array): void =>
  void checked(syscall(call.bind, fd, address, address.length), "bind");
export const setsockopt = (fd: number, level: number, option: number, value: Uint8Array): void =>
  void checked(syscall(call.setsockopt, fd, level, option, value, value.length), "setsockopt");
export const getsockopt = (fd: number, level: number, option: number, value: Uint8Array): void =>
  void checked(
    syscall(call.getsockopt, fd, level, option, value, Uint32Array.of(value.length)),
    "getsockopt",
  );
/** send(2) of the first `length` bytes. */
export function send(fd: number, bytes: Uint8Array, length: number, flags: number): number {
  let value: number;
  do value = syscall(call.sendto, fd, bytes, length, flags);
  while (interrupted(value, "send"));
  return value;
}
/** Bytes of struct sockaddr_nl (uapi linux/netlink.h): u16 family, u16 padding, u32 port, u32 groups. */
export const NETLINK_ADDRESS = 12;
const senderLength = new Uint32Array(1);
/**
 * recvfrom(2) of at most `length` bytes into `buffer`: bytes of the datagram. Its sender's netlink address goes into
 * `sender`, of NETLINK_ADDRESS bytes. Lengths are told, not asked of the arrays: that costs as much as the call.
 */
export function recvfrom(
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
  sender: Uint8Array,
): number {
  let value: number;
  do {
    senderLength[0] = NETLINK_ADDRESS;
    value = syscall(call.recvfrom, fd, buffer, length, flags, sender, senderLength);
  } while (interrupted(value, "recvfrom"));
  return value;
}
