/**
 * Cursors over bytes. Netlink numbers are in host order, which is little-endian on both architectures that we build
 * for; values that the network also sees are big-endian and say so in the name (`u32be`).
 *
 * Numbers are put together from bytes by hand: a DataView would make the engine move each array to memory of another
 * kind, which costs every ADD 0.4 ms.
 */
import { DecodeError } from "./error.ts";

/**
 * Appends to a buffer that grows. Lengths that are known only later are reserved and patched. A number that does not
 * fit its field is a RangeError: the kernel would silently get another one.
 */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Makes room for `count` zero bytes at the end and returns their offset. */
  reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }

  #put(at: number, size: number, value: number): void {
    for (let index = 0; index < size; index++) this.#bytes[at + index] = value >>> (8 * index);
  }
  #putBe(at: number, size: number, value: number): void {
    for (let index = 0; index < size; index++) this.#bytes[at + index] = value >>> (8 * (size - 1 - index));
  }

  u8(value: number): void {
    fits(value, 0, 0xff);
    this.#put(this.reserve(1), 1, value);
  }
  u16(value: number): void {
    fits(value, 0, 0xffff);
    this.#put(this.reserve(2), 2, value);
  }
  u32(value: number): void {
    fits(value, 0, 0xffffffff);
    this.#put(this.reserve(4), 4, value);
  }
  i32(value: number): void {
    fits(value, -0x80000000, 0x7fffffff);
    this.#put(this.reserve(4), 4, value);
  }
  u64(value: bigint): void {
    fits64(value);
    this.#put(this.reserve(4), 4, Number(value & 0xffffffffn));
    this.#put(this.reserve(4), 4, Number(value >> 32n));
  }
  u16be(value: number): void {
    fits(value, 0, 0xffff);
    this.#putBe(this.reserve(2), 2, value);
  }
  u32be(value: number): void {
    fits(value, 0, 0xffffffff);
    this.#putBe(this.reserve(4), 4, value);
  }
  i32be(value: number): void {
    fits(value, -0x80000000, 0x7fffffff);
    this.#putBe(this.reserve(4), 4, value);
  }
  u64be(value: bigint): void {
    fits64(value);
    this.#putBe(this.reserve(4), 4, Number(value >> 32n));
    this.#putBe(this.reserve(4), 4, Number(value & 0xffffffffn));
  }
  bytes(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.#bytes.set(value, at);
  }

  /** Zero bytes up to the next multiple of `alignment`. */
  pad(alignment: number): void {
    this.reserve((alignment - (this.#length % alignment)) % alignment);
  }

  patchU16(at: number, value: number): void {
    fits(value, 0, 0xffff);
    this.#put(at, 2, value);
  }
  patchU32(at: number, value: number): void {
    fits(value, 0, 0xffffffff);
    this.#put(at, 4, value);
  }

  /** What has been written so far, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

function fits(value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high)
    throw new RangeError(`${value} does not fit: ${low} to ${high}`);
}

function fits64(value: bigint): void {
  if (value < 0n || value >> 64n !== 0n) throw new RangeError(`${value} does not fit: 0 to 2^64 - 1`);
}

/** Reads forward; every read past the end is a DecodeError, from the one check in `#advance`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #advance(count: number): number {
    if (count > this.remaining) {
      throw new DecodeError(`${count} bytes wanted at offset ${this.#at}, ${this.remaining} left`);
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }

  /** The next `size` bytes as a number; four of them have a sign. */
  #take(size: number): number {
    const at = this.#advance(size);
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = (value << 8) | (this.#bytes[at + index] ?? 0);
    return value;
  }
  #takeBe(size: number): number {
    const at = this.#advance(size);
    let value = 0;
    for (let index = 0; index < size; index++) value = (value << 8) | (this.#bytes[at + index] ?? 0);
    return value;
  }

  u8(): number {
    return this.#take(1);
  }
  u16(): number {
    return this.#take(2);
  }
  u32(): number {
    return this.#take(4) >>> 0;
  }
  i32(): number {
    return this.#take(4);
  }
  u64(): bigint {
    const low = BigInt(this.u32());
    return (BigInt(this.u32()) << 32n) | low;
  }
  u16be(): number {
    return this.#takeBe(2);
  }
  u32be(): number {
    return this.#takeBe(4) >>> 0;
  }
  i32be(): number {
    return this.#takeBe(4);
  }
  u64be(): bigint {
    const high = BigInt(this.u32be());
    return (high << 32n) | BigInt(this.u32be());
  }

  /** The next `count` bytes, as a view into the input. */
  bytes(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.#bytes.subarray(at, at + count);
  }
  skip(count: number): void {
    this.#advance(count);
  }

  /** Skips padding up to a multiple of `alignment`, or to the end if the last item was not padded. */
  align(alignment: number): void {
    const padding = (alignment - (this.#at % alignment)) % alignment;
    this.#at += Math.min(padding, this.remaining);
  }
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }
}
