/**
 * The memory in which messages are written and read. Netlink aligns everything to four bytes and has its numbers in host
 * order, which is little-endian on both architectures that we build for, so nearly all access is by words. Each direction
 * has one buffer for all messages, since no message is interrupted by another. An array for each message, accessed byte by
 * byte, cost an ADD a million instructions.
 */

/** A buffer that can grow. */
export interface Memory {
  bytes: Uint8Array;
  /** The same memory by words. */
  words: Uint32Array;
  /** Size in bytes. A field, since a typed array's `length` costs as much as ten writes. */
  capacity: number;
}

/** Enough for nearly every message outside a dump. */
const FIRST_SIZE = 8192;

const memory = (capacity: number): Memory => {
  const words = new Uint32Array(capacity / 4);
  return { bytes: new Uint8Array(words.buffer), words, capacity };
};

/** The buffer for writing. `length` bytes are used, a multiple of four. */
export const output: Memory & { length: number } = { ...memory(FIRST_SIZE), length: 0 };

/** The buffer for reading. */
export const input: Memory = memory(FIRST_SIZE);

/** Makes room for `least` bytes and keeps the content. */
function grow(old: Memory, least: number): void {
  const { bytes, words, capacity } = memory(padded(Math.max(least, 2 * old.capacity)));
  bytes.set(old.bytes);
  old.bytes = bytes;
  old.words = words;
  old.capacity = capacity;
}

/** Makes room in the output for `count` more bytes, which may have old content. */
export function makeRoom(count: number): void {
  if (output.length + count > output.capacity) grow(output, output.length + count);
}

/** A copy of the output. */
export const written = (): Uint8Array => output.bytes.slice(0, output.length);

/** Copies bytes to the beginning of the input, and returns their number. */
export function load(bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > input.capacity) grow(input, length);
  input.bytes.set(bytes);
  return length;
}

/** The next multiple of four, to which netlink pads nearly everything. */
export const padded = (length: number): number => (length + 3) & ~3;

/** A word with its bytes reversed, as a signed number. */
export const swapped = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
