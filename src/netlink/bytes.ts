/**
 * Cursors over bytes. Netlink numbers are in host order, which is little-endian on both architectures that we build
 * for; values that the network also sees are big-endian and say so in the name (`u32be`).
 *
 * Numbers are put together from bytes by hand: a DataView would make the engine move each array to memory of another
 * kind, which costs every ADD 0.4 ms.
 */
import { DecodeError, UnfitError } from "./error.ts";

/** Bytes that a new writer has room for. */
const FIRST_SIZE = 256;

/**
 * Appends to a buffer that grows. Lengths that are known only later are reserved and patched. A number that does not
 * fit its field is an UnfitError: the kernel would silently get another one.
 */
export class ByteWriter {
  /** Bytes written so far. To be changed in here only; a field, as an accessor costs each reader a call. */
  length = 0;
  private buffer = new Uint8Array(FIRST_SIZE);
  /** The buffer's length, since asking a typed array for it costs as much as writing twenty bytes. */
  private capacity = FIRST_SIZE;

  /** Makes room for `count` zero bytes at the end and returns their offset. */
  reserve(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.capacity) this.grow(end);
    this.length = end;
    return at;
  }

  private grow(least: number): void {
    const twice = this.capacity * 2;
    this.capacity = least > twice ? least : twice;
    const larger = new Uint8Array(this.capacity);
    larger.set(this.buffer);
    this.buffer = larger;
  }

  private put16(at: number, value: number): void {
    const bytes = this.buffer;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
  }

  u8(value: number): void {
    if ((value & 0xff) !== value) refuse(value, 0, 0xff);
    const at = this.reserve(1);
    this.buffer[at] = value;
  }
  u16(value: number): void {
    if ((value & 0xffff) !== value) refuse(value, 0, 0xffff);
    this.put16(this.reserve(2), value);
  }
  /** Makes its own room, and all other numbers of four bytes go through it: an ADD writes six hundred of them. */
  u32(value: number): void {
    if (value >>> 0 !== value) refuse(value, 0, 0xffffffff);
    const at = this.length;
    const end = at + 4;
    if (end > this.capacity) this.grow(end);
    const bytes = this.buffer;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.length = end;
  }
  i32(value: number): void {
    if ((value | 0) !== value) refuse(value, -0x80000000, 0x7fffffff);
    this.u32(value >>> 0);
  }
  u64(value: bigint): void {
    fits64(value);
    this.u32(Number(value & 0xffffffffn));
    this.u32(Number(value >> 32n));
  }
  u16be(value: number): void {
    if ((value & 0xffff) !== value) refuse(value, 0, 0xffff);
    this.put16(this.reserve(2), swapped(value) >>> 16);
  }
  u32be(value: number): void {
    if (value >>> 0 !== value) refuse(value, 0, 0xffffffff);
    this.u32(swapped(value) >>> 0);
  }
  i32be(value: number): void {
    if ((value | 0) !== value) refuse(value, -0x80000000, 0x7fffffff);
    this.u32(swapped(value) >>> 0);
  }
  u64be(value: bigint): void {
    fits64(value);
    this.u32be(Number(value >> 32n));
    this.u32be(Number(value & 0xffffffffn));
  }
  /** In a field of `size` bytes, which end in zeros where the value is shorter. */
  bytes(value: Uint8Array, size = value.length): void {
    const at = this.reserve(size);
    this.buffer.set(value, at);
  }

  /** Zero bytes up to the next multiple of `alignment`. */
  pad(alignment: number): void {
    const past = this.length % alignment;
    if (past !== 0) this.reserve(alignment - past);
  }

  patchU16(at: number, value: number): void {
    if ((value & 0xffff) !== value) refuse(value, 0, 0xffff);
    this.put16(at, value);
  }
  patchU32(at: number, value: number): void {
    if (value >>> 0 !== value) refuse(value, 0, 0xffffffff);
    this.put16(at, value);
    this.put16(at + 2, value >>> 16);
  }

  /** What has been written so far, as a copy. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/** Four bytes the other way round, as a number with a sign. */
const swapped = (value: number): number =>
  (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);

/** Called for the error only. */
function refuse(value: number, low: number, high: number): never {
  throw new UnfitError(`${value} does not fit: ${low} to ${high}`);
}

function fits64(value: bigint): void {
  if (value < 0n || value >> 64n !== 0n) throw new UnfitError(`${value} does not fit: 0 to 2^64 - 1`);
}

/** The next multiple of four: how netlink pads nearly everything. */
export const padded = (length: number): number => (length + 3) & ~3;

/** The number in the two bytes at an offset, which the caller knows to be there. */
export const u16At = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);

/** The number with a sign in the four bytes at an offset, which the caller knows to be there. */
export const i32At = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) |
  ((bytes[at + 1] ?? 0) << 8) |
  ((bytes[at + 2] ?? 0) << 16) |
  ((bytes[at + 3] ?? 0) << 24);

/** The same, of a number in network order. */
export const i32beAt = (bytes: Uint8Array, at: number): number => swapped(i32At(bytes, at));

/** Reads forward; every read past the end is a DecodeError, from the one check in `advance`. */
export class ByteReader {
  private readonly buffer: Uint8Array;
  private readonly end: number;
  /** Offset of what is read next. To be changed in here only. */
  at = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = bytes;
    this.end = bytes.length;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  private advance(count: number): number {
    const at = this.at;
    const left = this.end - at;
    if (count > left) throw new DecodeError(`${count} bytes wanted at offset ${at}, ${left} left`);
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.buffer[this.advance(1)] ?? 0;
  }
  u16(): number {
    return u16At(this.buffer, this.advance(2));
  }
  u32(): number {
    return i32At(this.buffer, this.advance(4)) >>> 0;
  }
  i32(): number {
    return i32At(this.buffer, this.advance(4));
  }
  u64(): bigint {
    const low = BigInt(this.u32());
    return (BigInt(this.u32()) << 32n) | low;
  }
  u16be(): number {
    return swapped(this.u16()) >>> 16;
  }
  u32be(): number {
    return swapped(this.i32()) >>> 0;
  }
  i32be(): number {
    return swapped(this.i32());
  }
  u64be(): bigint {
    const high = BigInt(this.u32be());
    return (high << 32n) | BigInt(this.u32be());
  }

  /** The next `count` bytes, as a copy: the first view of an array makes the engine move it, as a DataView does. */
  bytes(count: number): Uint8Array {
    const at = this.advance(count);
    return this.buffer.slice(at, at + count);
  }
  skip(count: number): void {
    this.advance(count);
  }

  /** Skips padding up to a multiple of `alignment`, or to the end if the last item was not padded. */
  align(alignment: number): void {
    const aligned = this.at + ((alignment - (this.at % alignment)) % alignment);
    this.at = aligned < this.end ? aligned : this.end;
  }
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }
}
