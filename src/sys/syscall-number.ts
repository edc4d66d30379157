/**
 * Numbers of system calls: asm/unistd_64.h on x86-64, asm-generic/unistd.h on arm64. Where the two have not the same
 * calls, these are those that both have: `openat` and not `open`.
 */
const ARM = process.arch === "arm64";

/** read(2) */
export const read = ARM ? 63 : 0;
/** write(2) */
export const write = ARM ? 64 : 1;
/** close(2) */
export const close = ARM ? 57 : 3;
/** rt_sigaction(2) */
export const rtSigaction = ARM ? 134 : 13;
/** rt_sigprocmask(2) */
export const rtSigprocmask = ARM ? 135 : 14;
/** ioctl(2) */
export const ioctl = ARM ? 29 : 16;
/** pread64(2) */
export const pread = ARM ? 67 : 17;
/** pwrite64(2) */
export const pwrite = ARM ? 68 : 18;
/** setitimer(2) */
export const setitimer = ARM ? 103 : 38;
/** socket(2) */
export const socket = ARM ? 198 : 41;
/** sendto(2) */
export const sendto = ARM ? 206 : 44;
/** recvfrom(2) */
export const recvfrom = ARM ? 207 : 45;
/** bind(2) */
export const bind = ARM ? 200 : 49;
/** setsockopt(2) */
export const setsockopt = ARM ? 208 : 54;
/** getsockopt(2) */
export const getsockopt = ARM ? 209 : 55;
/** kill(2) */
export const kill = ARM ? 129 : 62;
/** fcntl(2) */
export const fcntl = ARM ? 25 : 72;
/** flock(2) */
export const flock = ARM ? 32 : 73;
/** fsync(2) */
export const fsync = ARM ? 82 : 74;
/** fdatasync(2) */
export const fdatasync = ARM ? 83 : 75;
/** ftruncate(2) */
export const ftruncate = ARM ? 46 : 77;
/** statfs(2) */
export const statfs = ARM ? 43 : 137;
/** fsetxattr(2) */
export const fsetxattr = ARM ? 7 : 190;
/** fgetxattr(2) */
export const fgetxattr = ARM ? 10 : 193;
/** getdents64(2) */
export const getdents64 = ARM ? 61 : 217;
/** waitid(2) */
export const waitid = ARM ? 95 : 247;
/** openat(2) */
export const openat = ARM ? 56 : 257;
/** mkdirat(2) */
export const mkdirat = ARM ? 34 : 258;
/** unlinkat(2) */
export const unlinkat = ARM ? 35 : 263;
/** renameat(2) */
export const renameat = ARM ? 38 : 264;
/** linkat(2) */
export const linkat = ARM ? 37 : 265;
/** readlinkat(2) */
export const readlinkat = ARM ? 78 : 267;
/** fchmodat(2) */
export const fchmodat = ARM ? 53 : 268;
/** ppoll(2) */
export const ppoll = ARM ? 73 : 271;
/** utimensat(2) */
export const utimensat = ARM ? 88 : 280;
/** pipe2(2) */
export const pipe2 = ARM ? 59 : 293;
/** open_by_handle_at(2) */
export const openByHandleAt = ARM ? 265 : 304;
/** setns(2) */
export const setns = ARM ? 268 : 308;
/** getrandom(2) */
export const getrandom = ARM ? 278 : 318;
/** statx(2) */
export const statx = ARM ? 291 : 332;
/** close_range(2) */
export const closeRange = ARM ? 436 : 436;
