/**
 * Linux error numbers (uapi asm-generic/errno-base.h and errno.h; the same on x86-64 and arm64) and the one
 * error type for a failed system call.
 */

/**
 * Number, name and text. One text and no object: the engine would make sixty arrays of it whenever a plugin starts, for
 * 0.05 ms. The kernel keeps ERESTART and ENOTSUPP to itself, but nf_tables answers with the one when a batch's
 * generation is past, and some netlink answers let the other out.
 */
const TABLE = `
1 EPERM operation not permitted
2 ENOENT no such file or directory
3 ESRCH no such process
4 EINTR interrupted system call
5 EIO input/output error
6 ENXIO no such device or address
7 E2BIG argument list too long
8 ENOEXEC not a program that this machine runs
9 EBADF bad file descriptor
10 ECHILD no child process
11 EAGAIN resource temporarily unavailable
12 ENOMEM cannot allocate memory
13 EACCES permission denied
14 EFAULT bad address
16 EBUSY device or resource busy
17 EEXIST file exists
18 EXDEV invalid cross-device link
19 ENODEV no such device
20 ENOTDIR not a directory
21 EISDIR is a directory
22 EINVAL invalid argument
23 ENFILE too many open files in system
24 EMFILE too many open files
25 ENOTTY inappropriate ioctl for device
26 ETXTBSY text file busy
27 EFBIG file too large
28 ENOSPC no space left on device
29 ESPIPE illegal seek
30 EROFS read-only file system
31 EMLINK too many links
32 EPIPE broken pipe
33 EDOM numerical argument out of domain
34 ERANGE numerical result out of range
36 ENAMETOOLONG file name too long
37 ENOLCK no locks available
38 ENOSYS function not implemented
39 ENOTEMPTY directory not empty
40 ELOOP too many levels of symbolic links
61 ENODATA no data available
71 EPROTO protocol error
75 EOVERFLOW value too large for defined data type
85 ERESTART interrupted system call should be restarted
90 EMSGSIZE message too long
92 ENOPROTOOPT protocol not available
93 EPROTONOSUPPORT protocol not supported
95 EOPNOTSUPP operation not supported
97 EAFNOSUPPORT address family not supported by protocol
98 EADDRINUSE address already in use
99 EADDRNOTAVAIL cannot assign requested address
100 ENETDOWN network is down
101 ENETUNREACH network is unreachable
105 ENOBUFS no buffer space available
107 ENOTCONN transport endpoint is not connected
110 ETIMEDOUT connection timed out
111 ECONNREFUSED connection refused
113 EHOSTUNREACH no route to host
114 EALREADY operation already in progress
115 EINPROGRESS operation now in progress
116 ESTALE stale file handle
122 EDQUOT disk quota exceeded
524 ENOTSUPP operation not supported
`;

/** "ENOENT" and "no such file or directory" for 2; "errno 999" for a number that is not in the table. */
export function describeErrno(errno: number): { name: string; text: string } {
  const number = `\n${errno} `;
  const start = TABLE.indexOf(number);
  if (start < 0) return { name: `errno ${errno}`, text: `errno ${errno}` };
  const name = start + number.length;
  const text = TABLE.indexOf(" ", name) + 1;
  return { name: TABLE.slice(name, text - 1), text: TABLE.slice(text, TABLE.indexOf("\n", text)) };
}

/**
 * What a system call does, where its name is no plain word for it. One text, as above. A message is for people: it says
 * what was tried, and not by which call.
 */
const ACTIONS = `
bind open a socket
fchmodat set the permissions of
fcntl prepare a pipe
fdatasync write to the disk
fgetxattr read the attribute
flock lock
fsetxattr set the attribute
fsync write to the disk
ftruncate shorten
getdents64 list the directory
getrandom draw random bytes
getsockopt read from a socket
ioctl look at what is open
mkdir make the directory
open_by_handle_at open by its handle
path use the path
pipe make a pipe
poll wait
pread read
pwrite write
readlink read the link
recvfrom receive
rt_sigprocmask set an alarm
setitimer set an alarm
setns enter the namespace
setsockopt prepare a socket
sigaction set an alarm
statfs look at the file system of
statx look at
unlink remove
utimensat set the times of
waitid wait for a program
`;

function actionOf(call: string): string {
  const start = ACTIONS.indexOf(`\n${call} `);
  if (start < 0) return call;
  return ACTIONS.slice(start + call.length + 2, ACTIONS.indexOf("\n", start + 1));
}

/** The words of anything that was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** A system call that failed. `code` is the errno's name ("ENOENT"), to be compared; the message is for people. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly errno: number;
  readonly code: string;

  /** `subject` is what the call was made on, usually a path. */
  constructor(call: string, errno: number, subject?: string) {
    const { name, text } = describeErrno(errno);
    super(
      `${actionOf(call)}${subject === undefined ? "" : ` ${JSON.stringify(subject)}`}: ${text} (${name})`,
    );
    this.errno = errno;
    this.code = name;
  }
}

/** Whether `error` is a failed system call with one of these errno names. */
export const failedWith = (error: unknown, ...codes: string[]): boolean =>
  error instanceof SystemError && codes.includes(error.code);
