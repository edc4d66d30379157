/**
 * Becomes another program under a seccomp filter that refuses system calls, as container runtimes and systemd set up:
 * `bun test/support/confined.ts ERRNO CALL[,CALL...] COMMAND...`. The calls fail with that error number. "CALL+" are all
 * calls that the kernel has got since, by their numbers.
 */
import { dlopen, ptr } from "bun:ffi";
import { SYSTEM_CALLS } from "./system-calls.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
});

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const SECCOMP_RET_ERRNO = 0x00050000;
const SECCOMP_RET_ALLOW = 0x7fff0000;
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
const program = new DataView(new ArrayBuffer(8 * (calls.length + 3)));
let at = 0;
function instruction(code: number, jumpTrue: number, k: number): void {
  program.setUint16(at, code, true);
  program.setUint8(at + 2, jumpTrue);
  program.setUint32(at + 4, k, true);
  at += 8;
}
instruction(LOAD_WORD, 0, 0);
for (const [index, { jump, number }] of calls.entries()) instruction(jump, calls.length - index, number);
instruction(RETURN, 0, SECCOMP_RET_ALLOW);
instruction(RETURN, 0, SECCOMP_RET_ERRNO | Number(errno));

const bytes = new Uint8Array(program.buffer);
/** struct sock_fprog: length 16, padding, pointer. */
const wrapper = new DataView(new ArrayBuffer(16));
wrapper.setUint16(0, at / 8, true);
wrapper.setBigUint64(8, BigInt(ptr(bytes)), true);
const fprog = new Uint8Array(wrapper.buffer);

const encoder = new TextEncoder();
const strings = (
  texts: readonly string[],
): { readonly list: BigUint64Array; readonly keep: Uint8Array[] } => {
  const keep = texts.map((text) => encoder.encode(`${text}\0`));
  return { list: BigUint64Array.from([...keep.map((each) => BigInt(ptr(each))), 0n]), keep };
};
const words = strings(command);
const variables = strings(Object.entries(process.env).map(([name, value]) => `${name}=${value}`));
const path = encoder.encode(`${command[0]}\0`);

libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
if (libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ptr(fprog), 0, 0) !== 0)
  throw new Error("no seccomp filter here");
libc.execve(path, words.list, variables.list);
throw new Error(`cannot run ${command[0]}`);
