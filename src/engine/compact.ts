/**
 * The engine of the compact file: quickjs-ng in the host program of the folder `compact`. Exports what bun.ts exports, with
 * the same meaning; its comments tell of each. This module is evaluated when the file is built (compact/src/image.rs), so
 * nothing here may ask the system or the host for what differs from call to call.
 */

/** Memory that a system call reads or writes. A DataView is none: compact's engine does not tell where it lies. */
export type Memory = Uint8Array | Uint16Array | Uint32Array | Int32Array | BigInt64Array | BigUint64Array;
/** An argument of a system call: a number, which may be negative; an array, passed as its address; null as 0. */
export type Word = number | Memory | null | undefined;
type Hashed = string | Uint8Array | BigUint64Array;

/** The global object that the host program supplies (compact/src/main.rs). */
declare const host: {
  readonly architecture: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly programName: string;
  readonly programArguments: string[];
  main: () => void;
  syscall(number: number, a?: Word, b?: Word, c?: Word, d?: Word, e?: Word, f?: Word): number;
  interruptBy(signal: number): void;
  interruptNoMore(signal: number): void;
  /** Loads a chunk: the build puts this in the place of `import()`. */
  load(chunk: string): Promise<unknown>;
  /** Each text as bytes, with a NUL behind each string; then the descriptors that become 0, 1 and 2. */
  spawn(path: Uint8Array, argv: Uint8Array, variables: Uint8Array, ...stdio: number[]): number;
  now(): number;
  pause(milliseconds: number): void;
  exit(code: number): never;
  abort(): never;
  encode(text: string): Uint8Array<ArrayBuffer>;
  /** The number of bytes of the whole characters that fit. */
  encodeInto(text: string, array: Uint8Array): number;
  /** Undefined when `fatal` is set and the bytes are not UTF-8. */
  decode(bytes: ArrayBufferView | ArrayBuffer, fatal: boolean): string | undefined;
  hash64(data: Hashed, seed: bigint): bigint;
  hash32(data: Hashed, seed: number): number;
  sha256(data: Hashed): string;
  sha512(data: Hashed): string;
  sameBytes(a: Uint8Array, b: Uint8Array): boolean;
  indexOfBytes(bytes: Uint8Array, part: Uint8Array, from: number): number;
  collectGarbage(): void;
  useReserve(): void;
};

/** The host's own functions, and `environment`, which it fills when the program starts. */
export const { architecture, environment, syscall, now, pause, sameBytes, collectGarbage, useReserve } = host;
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

/** The hashes of bun.ts, byte for byte. */
export const { hash32, sha256, sha512 } = host;

/** The host program calls `main` when it starts; the modules were loaded long before, when the program was built. */
export function begin(main: () => Promise<number>): void {
  host.main = () => void main().then((code) => host.exit(code));
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
  const bytes = host.encode(text);
  syscall(architecture === "arm64" ? 64 : 1, descriptor, bytes, bytes.length);
}

/** Ends the process at once. */
export function abort(message: string): never {
  print(2, `${message}\n`);
  return host.abort();
}

/** wyhash, as in bun.ts. */
export function hash64(data: Hashed, seed = 0n): bigint {
  return host.hash64(data, seed);
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
  host.interruptBy(signal);
  return () => host.interruptNoMore(signal);
}

/** Starts a program; see bun.ts. @returns its process id, or the negative error number */
export function spawn(
  path: string,
  argv: readonly string[],
  variables: readonly string[],
  stdio: readonly number[],
): number {
  const strings = (texts: readonly string[]) => host.encode(texts.map((text) => `${text}\0`).join(""));
  return host.spawn(strings([path]), strings(argv), strings(variables), ...stdio);
}

/** The part of the Encoding Standard that src uses. */
class Encoder {
  encode(text = ""): Uint8Array<ArrayBuffer> {
    return host.encode(text);
  }

  encodeInto(text: string, array: Uint8Array): { readonly written: number; readonly read: number } {
    const written = host.encodeInto(text, array);
    return {
      written,
      get read() {
        return host.decode(array.subarray(0, written), false)?.length ?? 0;
      },
    };
  }
}

const NO_BYTES = new Uint8Array();
const MARK = "\uFEFF";

/** A call takes at most so many arguments. */
const MOST_ARGUMENTS = 32768;

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += MOST_ARGUMENTS)
    text += String.fromCharCode(...bytes.subarray(at, at + MOST_ARGUMENTS));
  return text;
}

class Decoder {
  private readonly fatal: boolean;
  private readonly ignoreBOM: boolean;
  private readonly isLatin1: boolean;

  /** `label` is "utf-8" or "latin1", which gives one character for each byte. */
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean }) {
    this.fatal = options?.fatal ?? false;
    this.ignoreBOM = options?.ignoreBOM ?? false;
    this.isLatin1 = label === "latin1";
  }

  decode(bytes: ArrayBufferView | ArrayBuffer = NO_BYTES): string {
    if (this.isLatin1) return latin1(bytes as Uint8Array);
    const text = host.decode(bytes, this.fatal);
    if (text === undefined) throw new TypeError("the bytes are not UTF-8");
    return !this.ignoreBOM && text.startsWith(MARK) ? text.slice(1) : text;
  }
}

Object.assign(globalThis, { TextEncoder: Encoder, TextDecoder: Decoder });
