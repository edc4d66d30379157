/**
 * Numbers of system calls: asm/unistd_64.h on x86-64, asm-generic/unistd.h on arm64. Where the two have not the same
 * calls, these are those that both have: `openat` and not `open`.
 */
const ARM = process.arch === "arm64";

export const read = ARM ? 63 : 0;
export const write = ARM ? 64 : 1;
export const close = ARM ? 57 : 3;
export const rtSigaction = ARM ? 134 : 13;
export const rtSigprocmask = ARM ? 135 : 14;
export const ioctl = ARM ? 29 : 16;
export const pread = ARM ? 67 : 17;
export const pwrite = ARM ? 68 : 18;
export const setitimer = ARM ? 103 : 38;
export const socket = ARM ? 198 : 41;
export const sendto = ARM ? 206 : 44;
export const recvfrom = ARM ? 207 : 45;
export const bind = ARM ? 200 : 49;
export const setsockopt = ARM ? 208 : 54;
export const getsockopt = ARM ? 209 : 55;
export const fcntl = ARM ? 25 : 72;
export const flock = ARM ? 32 : 73;
export const fsync = ARM ? 82 : 74;
export const fdatasync = ARM ? 83 : 75;
export const ftruncate = ARM ? 46 : 77;
export const statfs = ARM ? 43 : 137;
export const fsetxattr = ARM ? 7 : 190;
export const fgetxattr = ARM ? 10 : 193;
export const getdents64 = ARM ? 61 : 217;
export const openat = ARM ? 56 : 257;
export const mkdirat = ARM ? 34 : 258;
export const unlinkat = ARM ? 35 : 263;
export const renameat = ARM ? 38 : 264;
export const linkat = ARM ? 37 : 265;
export const readlinkat = ARM ? 78 : 267;
export const fchmodat = ARM ? 53 : 268;
export const ppoll = ARM ? 73 : 271;
export const utimensat = ARM ? 88 : 280;
export const openByHandleAt = ARM ? 265 : 304;
export const setns = ARM ? 268 : 308;
export const getrandom = ARM ? 278 : 318;
export const statx = ARM ? 291 : 332;
