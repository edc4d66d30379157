/**
 * Cursors over bytes. Netlink numbers are in host order, which is little-endian on both architectures that we build
 * for; values that the network also sees are big-endian and say so in the name (`u32be`).
 */
import { DecodeError } from "./error.ts";

/**
 * Appends to a buffer that grows. Lengths that are known only later are reserved and patched. A number that does not
 * fit its field is a RangeError: the kernel would silently get another one.
 */
export class ByteWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
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
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  u8(value: number): void {
    fits(value, 0, 0xff);
    const at = this.reserve(1);
    this.#view.setUint8(at, value);
  }
  u16(value: number): void {
    fits(value, 0, 0xffff);
    const at = this.reserve(2);
    this.#view.setUint16(at, value, true);
  }
  u32(value: number): void {
    fits(value, 0, 0xffffffff);
    const at = this.reserve(4);
    this.#view.setUint32(at, value, true);
  }
  i32(value: number): void {
    fits(value, -0x80000000, 0x7fffffff);
    const at = this.reserve(4);
    this.#view.setInt32(at, value, true);
  }
  u64(value: bigint): void {
    fits64(value);
    const at = this.reserve(8);
    this.#view.setBigUint64(at, value, true);
  }
  u16be(value: number): void {
    fits(value, 0, 0xffff);
    const at = this.reserve(2);
    this.#view.setUint16(at, value);
  }
  u32be(value: number): void {
    fits(value, 0, 0xffffffff);
    const at = this.reserve(4);
    this.#view.setUint32(at, value);
  }
  i32be(value: number): void {
    fits(value, -0x80000000, 0x7fffffff);
    const at = this.reserve(4);
    this.#view.setInt32(at, value);
  }
  u64be(value: bigint): void {
    fits64(value);
    const at = this.reserve(8);
    this.#view.setBigUint64(at, value);
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
    this.#view.setUint16(at, value, true);
  }
  patchU32(at: number, value: number): void {
    fits(value, 0, 0xffffffff);
    this.#view.setUint32(at, value, true);
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
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }
  u16be(): number {
    return this.#view.getUint16(this.#advance(2));
  }
  u32be(): number {
    return this.#view.getUint32(this.#advance(4));
  }
  i32be(): number {
    return this.#view.getInt32(this.#advance(4));
  }
  u64be(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
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
