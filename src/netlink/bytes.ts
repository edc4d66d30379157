/**
 * The memory that messages are written into and read from. Netlink begins everything at a multiple of four bytes and has
 * its numbers in host order, which is little-endian on both architectures that we build for: so nearly all goes by
 * words. One piece of memory for each direction serves all messages, since nothing waits between the first word of a
 * message and its last: an array of its own for each, and its bytes one by one, took an ADD a million instructions.
 */

/** One piece of memory. */
export interface Memory {
  bytes: Uint8Array;
  /** The same memory by words. */
  words: Uint32Array;
  /** Bytes that there is room for; a field, since asking a typed array for its length costs as much as ten writes. */
  capacity: number;
}

/** Room for nearly every message that is not a dump's. */
const FIRST_SIZE = 8192;

const memory = (capacity: number): Memory => {
  const words = new Uint32Array(capacity / 4);
  return { bytes: new Uint8Array(words.buffer), words, capacity };
};

/** What is being written, and how many bytes of it there are: a multiple of four. */
export const output: Memory & { length: number } = { ...memory(FIRST_SIZE), length: 0 };

/** What is being read. */
export const input: Memory = memory(FIRST_SIZE);

/** Makes room for `least` bytes; what stands there stays. */
function grow(old: Memory, least: number): void {
  const { bytes, words, capacity } = memory(padded(Math.max(least, 2 * old.capacity)));
  bytes.set(old.bytes);
  old.bytes = bytes;
  old.words = words;
  old.capacity = capacity;
}

/** Makes room in the output for `count` more bytes. What stands there at first is left from earlier messages. */
export function makeRoom(count: number): void {
  if (output.length + count > output.capacity) grow(output, output.length + count);
}

/** The output from its beginning, as a copy. */
export const written = (): Uint8Array => output.bytes.slice(0, output.length);

/** Puts bytes into the input, from its beginning on, and returns how many they are. */
export function load(bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > input.capacity) grow(input, length);
  input.bytes.set(bytes);
  return length;
}

/** The next multiple of four: how netlink pads nearly everything. */
export const padded = (length: number): number => (length + 3) & ~3;

/** Four bytes the other way round, as a number with a sign. */
export const swapped = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
