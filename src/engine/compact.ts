/**
 * The engine of the compact file: quickjs-ng in the host program of the folder `compact`. Exports what bun.ts exports, with
 * the same meaning; its comments tell of each. This module is evaluated when the file is built (compact/build/sources.rs), so
 * nothing here may ask the system or the host for what differs from call to call.
 */

import "./compact-encoding.ts";
import {
  ARM,
  GETPID,
  type Hashed,
  host,
  MASK_BYTES,
  RT_SIGACTION,
  SIGNAL_WORDS,
  syscall,
  utf8,
} from "./compact-host.ts";

export { spawn } from "./compact-child.ts";
export type { Memory, Word } from "./compact-host.ts";
export { syscall };

/** The host's own functions, and `environment`, which it fills when the program starts. */
export const { architecture, environment, now, sameBytes, collectGarbage, useReserve } = host;
/** Where a part begins; see bun.ts. */
export function indexOfBytes(bytes: Uint8Array, part: Uint8Array, from = 0): number {
  return host.indexOfBytes(bytes, part, from);
}

/** What the engine throws when it is at its end: too little memory, for one. */
declare const InternalError: ErrorConstructor;

/** Whether the engine threw this because it got no more memory. If there is none for an error either, it throws other values. */
export function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof InternalError || !(thrown instanceof Error);
}

const WRITE = ARM ? 64 : 1;
const EXIT_GROUP = ARM ? 94 : 231;

/** The host program calls `main` when it starts; the modules were loaded long before, when the program was built. */
export function begin(main: () => Promise<number>): void {
  host.main = () => void main().then(exit);
}

/** System calls always work. */
export const unusable: Error | undefined = undefined;

/** argv[0]. */
export function programName(): string {
  return host.programName;
}

/** The arguments after argv[0]. */
export function programArguments(): string[] {
  return host.programArguments;
}

/** Writes to standard output (1) or standard error (2). */
export function print(descriptor: 1 | 2, text: string): void {
  const bytes = utf8(text);
  syscall(WRITE, descriptor, bytes, bytes.length);
}

function exit(code: number): void {
  syscall(EXIT_GROUP, code);
}

/** Ends the process at once. */
export function abort(message: string): never {
  print(2, `${message}\n`);
  const SIGABRT = 6;
  syscall(ARM ? 129 : 62 /* kill */, syscall(GETPID), SIGABRT);
  for (;;) exit(128 + SIGABRT);
}

/** Blocks for so many milliseconds. */
export function pause(milliseconds: number): void {
  const nanoseconds = milliseconds > 0 ? milliseconds * 1e6 : 0;
  const left = Uint32Array.of(nanoseconds / 1e9, 0, nanoseconds % 1e9, 0);
  const EINTR = 4;
  // A signal ends the wait early; the kernel then writes what is left.
  while (syscall(ARM ? 101 : 35 /* nanosleep */, left, left) === -EINTR);
}

const hashed = (data: Hashed) => (typeof data === "string" ? data.toWellFormed() : data);

/** The hashes of bun.ts, byte for byte: wyhash. */
export function hash64(data: Hashed, seed = 0n): bigint {
  return host.hash(64, hashed(data), seed);
}

/** xxHash32. */
export function hash32(data: Hashed, seed: number): number {
  return host.hash(32, hashed(data), seed);
}

/** SHA-256 in hexadecimal digits. */
export function sha256(data: Hashed): string {
  return host.hash(256, hashed(data)).toHex();
}

/** SHA-512 in hexadecimal digits. */
export function sha512(data: Hashed): string {
  return host.hash(512, hashed(data)).toHex();
}

/** The bytes of all pieces in one array. */
export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Makes a signal interrupt a waiting system call. @returns a function that restores the earlier handler */
export function interruptBy(signal: number): () => void {
  const SA_RESTORER = 0x04000000n;
  const action = BigUint64Array.of(BigInt(host.handler), SA_RESTORER, BigInt(host.restorer), 0n);
  const before = new BigUint64Array(SIGNAL_WORDS);
  const failure = syscall(RT_SIGACTION, signal, action, before, MASK_BYTES);
  return () => {
    if (failure === 0) syscall(RT_SIGACTION, signal, before, null, MASK_BYTES);
  };
}
