/**
 * Becomes another program under a seccomp filter that refuses system calls, as container runtimes and systemd set up:
 * `bun test/support/confined.ts ERRNO CALL[,CALL...] COMMAND...`. The calls fail with that error number. "CALL+" are all
 * calls that the kernel has got since, by their numbers. With "only" for ERRNO, every other call kills (SIGSYS).
 */
import { ptr } from "bun:ffi";
import { prctl, program } from "./become.ts";
import { SYSTEM_CALLS } from "./system-calls.ts";

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const SECCOMP_RET_ERRNO = 0x00050000;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_KILL_PROCESS = 0x80000000;
/** Instructions of uapi linux/bpf_common.h: load a word of struct seccomp_data, jump if equal, return. */
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const RETURN = 0x06;

const [errno = "", names = "", ...command] = process.argv.slice(2);
const calls = names.split(",").map((name) => {
  const number = SYSTEM_CALLS[name.replace("+", "")];
  if (number === undefined) throw new Error(`no number is known of the system call ${name}`);
  return { number, jump: name.endsWith("+") ? JUMP_IF_GREATER : JUMP_IF_EQUAL };
});

/** struct sock_filter: code 16, jt 8, jf 8, k 32. */
const filter = new DataView(new ArrayBuffer(8 * (calls.length + 3)));
let at = 0;
function instruction(code: number, jumpTrue: number, k: number): void {
  filter.setUint16(at, code, true);
  filter.setUint8(at + 2, jumpTrue);
  filter.setUint32(at + 4, k, true);
  at += 8;
}
const isAllowList = errno === "only";
instruction(LOAD_WORD, 0, 0);
for (const [index, { jump, number }] of calls.entries()) instruction(jump, calls.length - index, number);
instruction(RETURN, 0, isAllowList ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
instruction(RETURN, 0, isAllowList ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | Number(errno));

const bytes = new Uint8Array(filter.buffer);
/** struct sock_fprog: length 16, padding, pointer. */
const wrapper = new DataView(new ArrayBuffer(16));
wrapper.setUint16(0, at / 8, true);
wrapper.setBigUint64(8, BigInt(ptr(bytes)), true);
const fprog = ptr(new Uint8Array(wrapper.buffer));

const run = program(command);
prctl(PR_SET_NO_NEW_PRIVS, 1);
if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog) !== 0) throw new Error("no seccomp filter here");
run();
