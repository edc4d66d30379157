/**
 * What this program uses of its JavaScript engine, Bun, beside the language, TextEncoder and TextDecoder (UTF-8 with
 * `fatal` and `ignoreBOM`). No other file of src names the engine; all import "#engine". Another engine gets a file with
 * the same exports, and package.json's `imports` selects the file of a build.
 */
import type { FFIType, Pointer } from "bun:ffi";

/** The processor: "x64" or "arm64". */
export const architecture: string = process.arch;

/** The variables of this process as text. The engine replaces bytes that are not UTF-8. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** The name that the caller used for this program: argv[0]. */
export function programName(): string {
  return process.argv0;
}

/** The arguments after the program's name. */
export function programArguments(): string[] {
  return process.argv.slice(2);
}

/** Runs the program, and ends the process with the exit code that it returns. */
export function begin(main: () => Promise<number>): void {
  // Not awaited: top-level await costs the engine 0.07 ms.
  void main().then((code) => process.exit(code));
}

/** Ends the process at once, for when none of its code may run any more. */
export function abort(message: string): never {
  console.error(message);
  process.abort();
}

/** Writes to standard output (1) or standard error (2) without our own system calls, for when `unusable` is set. */
export function print(descriptor: 1 | 2, text: string): void {
  (descriptor === 1 ? console.log : console.error)(text.trimEnd());
}

/** Milliseconds since the process was started. `performance` is not used, since the engine would have to build it. */
export function now(): number {
  return Bun.nanoseconds() / 1e6;
}

/** Blocks the thread for so many milliseconds. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Whether the engine threw this because it got no more memory. */
export function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof RangeError && /memory/i.test(thrown.message);
}

/**
 * From here on the call is undone or reported, for which memory was kept back. Until then a system call can fail for want of
 * memory. This engine keeps nothing back.
 */
export function useReserve(): void {}

/** Frees memory that is no longer referenced. */
export function collectGarbage(): void {
  Bun.gc(true);
}

/** The bytes of all pieces in one array. */
export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces);
}

/** Whether two arrays hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Where `part` begins in `bytes`, from `from` on; -1 if it is not there. Searches thousands of rules in a dump. */
export function indexOfBytes(bytes: Uint8Array, part: Uint8Array, from = 0): number {
  return Buffer.prototype.indexOf.call(bytes, part, from);
}

/** Data to hash; text as UTF-8. Every engine must give the same hashes, since they are on disk and in names. */
type Hashed = string | Uint8Array | BigUint64Array;

/** wyhash of 64 bits, the variant of Zig's standard library. */
export function hash64(data: Hashed, seed = 0n): bigint {
  return BigInt(Bun.hash(data, seed));
}

/** xxHash32. */
export function hash32(data: Hashed, seed: number): number {
  return Bun.hash.xxHash32(data, seed);
}

/** SHA-256 in hexadecimal digits. */
export function sha256(data: Hashed): string {
  return Bun.SHA256.hash(data, "hex");
}

/** SHA-512 in hexadecimal digits. */
export function sha512(data: Hashed): string {
  return Bun.SHA512.hash(data, "hex");
}

/**
 * The functions behind bun:ffi. Loading the module itself would cost each start 0.2 ms. These functions return an error
 * instead of throwing it.
 */
const { dlopen, ptr, read: peek } = (Bun as unknown as { FFI: typeof import("bun:ffi") }).FFI;

/**
 * Functions of the C library that this process has already loaded. musl accepts glibc's name as its own. The name must
 * never be one that may be missing: the runtime would then search the working directory.
 */
function libraryWith<Symbols extends Parameters<typeof dlopen>[1]>(symbols: Symbols) {
  const library = dlopen("libc.so.6", symbols);
  if (library instanceof Error) throw library;
  return library.symbols;
}

/** Memory that a system call reads or writes. A DataView is none: compact's engine does not tell where it lies. */
export type Memory = Uint8Array | Uint16Array | Uint32Array | Int32Array | BigInt64Array | BigUint64Array;
/** An argument of a system call: a number, which may be negative; an array, passed as its address; null as 0. */
export type Word = number | Memory | null | undefined;
type SystemCall = (number: number, a?: Word, b?: Word, c?: Word, d?: Word, e?: Word, f?: Word) => number;

/** One function makes every call: each function that is looked up costs 5 µs at start, forty of them 0.2 ms. */
function findSystemCall(): { invoke: SystemCall; errnoAt: Pointer; unusable?: Error } {
  try {
    const { syscall, __errno_location } = libraryWith({
      __errno_location: { args: [], returns: "ptr" },
      // The number fills a whole register too; i32 would leave half of it undefined. 15 is i64_fast: a number.
      syscall: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: 15 as FFIType.i64_fast },
    });
    // The address of errno never changes within a thread.
    return { invoke: syscall as unknown as SystemCall, errnoAt: __errno_location() as Pointer };
  } catch (error) {
    const unusable = new Error(
      `the C library cannot be called (${(error as Error).message}): this process may have no ` +
        "executable memory; lift its limit of address space (RLIMIT_AS) or its ban on memory that is written and executed (MemoryDenyWriteExecute= of systemd, execmem of SELinux)",
    );
    const invoke = () => {
      throw unusable;
    };
    return { invoke, errnoAt: 0 as Pointer, unusable };
  }
}

const { invoke, errnoAt, unusable } = findSystemCall();

/** Why no system call can be made, for the report; undefined when calls work. */
export { unusable };

/**
 * Makes a system call. Arrays stay alive and in place during the call. @returns its value, or the negative error number,
 * which is read before anything else can overwrite it
 */
export function syscall(number: number, a?: Word, b?: Word, c?: Word, d?: Word, e?: Word, f?: Word): number {
  const value = invoke(number, a, b, c, d, e, f);
  return value === -1 ? -peek.i32(errnoAt, 0) : value;
}

/** struct sigaction as glibc and musl have it: handler, 128 bytes of mask, flags, restorer. */
const SIGACTION_WORDS = 19;
const SIGACTION = {
  sched_yield: { args: [], returns: "i32" },
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
} as const;

/**
 * Makes a signal interrupt a waiting system call, and do nothing else. Its handler is a harmless function of the C library,
 * since no JavaScript may run in a handler. @returns a function that restores the earlier handler
 */
export function interruptBy(signal: number): () => void {
  // libc's sigaction is used, since the system call needs code that returns from the signal.
  const { sched_yield, sigaction } = libraryWith(SIGACTION);
  const [action, before] = [new BigUint64Array(SIGACTION_WORDS), new BigUint64Array(SIGACTION_WORDS)];
  // Bun's types have the address only of functions that Bun compiled itself.
  action[0] = BigInt((sched_yield as unknown as { ptr: Pointer }).ptr);
  sigaction(signal, action, before);
  return () => void sigaction(signal, before, null);
}

const SPAWN = {
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
} as const;
/** Larger than posix_spawnattr_t (336) and posix_spawn_file_actions_t (80) in glibc and musl. */
const SPAWN_BYTES = 512;
const SIGSET_BYTES = 128;
/** spawn.h, the same in both. SETPGROUP with the initial 0 makes the child the leader of a new process group. */
const SPAWN_FLAGS = 0x02 /* SETPGROUP */ | 0x04 /* SETSIGDEF */ | 0x08; /* SETSIGMASK */

/** A NULL-terminated array of pointers to NUL-terminated strings, with the strings behind it in the same memory. */
function vectorOf(texts: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const strings = texts.map((text) => encoder.encode(`${text}\0`));
  const table = (strings.length + 1) * 8;
  // An explicit buffer: the engine would move an array's memory when its `buffer` is first read.
  const bytes = new Uint8Array(new ArrayBuffer(strings.reduce((sum, { length }) => sum + length, table)));
  const pointers = new BigUint64Array(bytes.buffer, 0, strings.length);
  const base = BigInt(ptr(bytes));
  let at = table;
  for (const [index, string] of strings.entries()) {
    pointers[index] = base + BigInt(at);
    bytes.set(string, at);
    at += string.length;
  }
  return bytes;
}

/**
 * Starts the program at `path` in its own process group, with default handling of all signals. The descriptors of `stdio`
 * become its 0, 1 and 2. posix_spawn(3) leaves this program's threads, memory and signals as they are.
 * @returns its process id, or the negative error number of execve(2)
 */
export function spawn(
  path: string,
  argv: readonly string[],
  variables: readonly string[],
  stdio: readonly number[],
): number {
  const libc = libraryWith(SPAWN);
  const [actions, attributes] = [new Uint8Array(SPAWN_BYTES), new Uint8Array(SPAWN_BYTES)];
  libc.posix_spawn_file_actions_init(actions);
  libc.posix_spawnattr_init(attributes);
  libc.posix_spawnattr_setflags(attributes, SPAWN_FLAGS);
  libc.posix_spawnattr_setsigdefault(attributes, new Uint8Array(SIGSET_BYTES).fill(0xff));
  libc.posix_spawnattr_setsigmask(attributes, new Uint8Array(SIGSET_BYTES));
  for (const [to, from] of stdio.entries()) libc.posix_spawn_file_actions_adddup2(actions, from, to);
  const pid = new Int32Array(1);
  const program = new TextEncoder().encode(`${path}\0`);
  const errno = libc.posix_spawn(pid, program, actions, attributes, vectorOf(argv), vectorOf(variables));
  libc.posix_spawn_file_actions_destroy(actions);
  return errno === 0 ? (pid[0] ?? 0) : -errno;
}
