/** What the compact file's host program supplies, for the other files of this engine (compact.ts). */

/** Memory that a system call reads or writes. A DataView is none: compact's engine does not tell where it lies. */
export type Memory = Uint8Array | Uint16Array | Uint32Array | Int32Array | BigInt64Array | BigUint64Array;
/** An argument of a system call: a number, which may be negative; an array, passed as its address; null as 0. */
export type Word = number | Memory | null | undefined;
export type Hashed = string | Uint8Array | BigUint64Array;

interface Host {
  readonly architecture: string;
  /** The address of a handler of signals that does nothing, and of what it returns to. */
  readonly handler: number;
  readonly restorer: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly programName: string;
  readonly programArguments: string[];
  /** Called when the program starts. */
  main: () => void;
  now(): number;
  syscall(number: number, a?: Word, b?: Word, c?: Word, d?: Word, e?: Word, f?: Word): number;
  /** Where an array lies. */
  address(array: Memory): number;
  /** Starts a child that makes these system calls; see compact-child.ts. */
  spawn(steps: Float64Array): number;
  /** A new array; with an array, the number of bytes of the whole characters that fit. */
  encode(text: string): Uint8Array<ArrayBuffer>;
  encode(text: string, array: Uint8Array): number;
  /** Undefined when `fatal` is set and the bytes are not UTF-8. */
  decode(bytes: Uint8Array, fatal: boolean): string | undefined;
  hash(bits: 32, data: Hashed, seed: number): number;
  hash(bits: 64, data: Hashed, seed: bigint): bigint;
  hash(bits: 256 | 512, data: Hashed): Uint8Array;
  sameBytes(a: Uint8Array, b: Uint8Array): boolean;
  indexOfBytes(bytes: Uint8Array, part: Uint8Array, from: number): number;
  collectGarbage(): void;
  useReserve(): void;
}

/** The global object of the host program (compact/build/sources.rs). */
export const { host } = globalThis as unknown as { readonly host: Host };
/** Makes a system call. @returns its value, or the negative error number */
export const { syscall } = host;

/** The UTF-8 of text, with U+FFFD for lone surrogates. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return host.encode(text.toWellFormed());
}

/** Whether this is arm64, whose call numbers differ from x86-64 (asm/unistd_64.h, asm-generic/unistd.h). */
export const ARM = host.architecture === "arm64";
export const FCNTL = ARM ? 25 : 72;
export const RT_SIGACTION = ARM ? 134 : 13;
export const GETPID = ARM ? 172 : 39;

/** The words of struct sigaction as the kernel has it (handler, flags, restorer, mask), and the bytes of its mask. */
export const SIGNAL_WORDS = 4;
export const MASK_BYTES = 8;
