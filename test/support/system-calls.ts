/** Numbers of system calls on x86-64 (asm/unistd_64.h), for confined.ts. */
const NUMBERS = `
  clone3 435, close_range 436, copy_file_range 326, epoll_pwait2 441, fcntl 72, fgetxattr 193,
  flock 73, fsetxattr 190, fsync 74, getdents64 217, getrandom 318, getrusage 98, io_uring_enter 426,
  io_uring_setup 425, ioctl 16, landlock_create_ruleset 444, linkat 265, madvise 28, membarrier 324,
  memfd_create 319, open_by_handle_at 304, openat2 437, pidfd_open 434, prctl 157, pwrite64 18,
  rseq 334, sched_getaffinity 204, setitimer 38, setns 308, sigaltstack 131, statfs 137, statx 332,
  sysinfo 99, timerfd_create 283, uname 63, utimensat 280`;

export const SYSTEM_CALLS: Readonly<Record<string, number>> = Object.fromEntries(
  [...NUMBERS.matchAll(/(\w+) (\d+)/g)].map(([, name, number]) => [name, Number(number)]),
);
