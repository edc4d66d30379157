/** Numbers of system calls on x86-64 (asm/unistd_64.h), for confined.ts. */
const NUMBERS = `
  arch_prctl 158, bind 49, clock_gettime 228, clone 56, clone3 435, close 3, close_range 436, connect 42,
  copy_file_range 326, dup3 292, epoll_pwait2 441, execve 59, exit_group 231, fchmodat 268, fcntl 72, fgetxattr 193,
  flock 73, fsetxattr 190, fsync 74, ftruncate 77, getdents64 217, geteuid 107, getpid 39, getppid 110, getrandom 318,
  getrusage 98, getsockopt 55, io_uring_enter 426, io_uring_setup 425, ioctl 16, kill 62, landlock_create_ruleset 444,
  linkat 265, madvise 28, membarrier 324, memfd_create 319, mkdirat 258, mmap 9, munmap 11, nanosleep 35,
  open_by_handle_at 304, openat 257, openat2 437, pidfd_open 434, pipe2 293, ppoll 271, prctl 157, pread64 17,
  pwrite64 18, read 0, readlinkat 267, recvfrom 45, renameat 264, restart_syscall 219, rseq 334, rt_sigaction 13,
  rt_sigprocmask 14, rt_sigreturn 15, sched_getaffinity 204, sendto 44, set_tid_address 218, setitimer 38, setns 308,
  setpgid 109, setsockopt 54, sigaltstack 131, socket 41, statfs 137, statx 332, sysinfo 99, timerfd_create 283,
  uname 63, unlinkat 263, utimensat 280, wait4 61, waitid 247, write 1`;

export const SYSTEM_CALLS: Readonly<Record<string, number>> = Object.fromEntries(
  [...NUMBERS.matchAll(/(\w+) (\d+)/g)].map(([, name, number]) => [name, Number(number)]),
);
