/**
 * The bytes of the lease index: in a file or in memory, read and written in pieces of 64-bit words (the machine's own
 * byte order) of which the first is a checksum. A piece that lost its sense says so, whatever it went through.
 */

/** Where an image lies: a file, or memory in tests. */
export interface Bytes {
  /** Exactly `length` bytes, which the caller may change. @throws BrokenIndexError if they are not there. */
  read(offset: number, length: number): Uint8Array;
  /** @throws BrokenIndexError */
  write(offset: number, bytes: Uint8Array): void;
}

/** The image can't be used. The directory can: it is scanned, and a new image made of it. */
export class BrokenIndexError extends Error {
  override readonly name = "BrokenIndexError";
}

/** Part of an image in memory. `words[0]` is its checksum. */
export interface Piece {
  readonly offset: number;
  readonly words: BigUint64Array;
  /** Whether it differs from what is on disk. */
  changed: boolean;
}

export class IndexImage {
  private readonly bytes: Bytes;
  private readonly seed: bigint;
  /** By offset. */
  private readonly loaded = new Map<number, Piece>();
  /** The same in a list: the first walk over a Map takes the engine longer than all that an ADD does here. */
  private readonly pieces: Piece[] = [];

  /** `seed` differs from image to image, so that a piece left by an earlier one counts as damaged. */
  constructor(bytes: Bytes, seed: bigint) {
    this.bytes = bytes;
    this.seed = seed;
  }

  /** A piece to be read, and to be changed if its `changed` is set. @throws BrokenIndexError */
  piece(offset: number, length: number): Piece {
    const known = this.loaded.get(offset);
    return known ?? this.keep(this.read(offset, length));
  }

  /** A piece to be read once: for a walk through all of them. @throws BrokenIndexError */
  peek(offset: number, length: number): Piece {
    return this.loaded.get(offset) ?? this.read(offset, length);
  }

  private read(offset: number, length: number): Piece {
    const words = wordsOf(this.bytes.read(offset, length));
    if (words[0] !== this.checksum(words, offset)) throw new BrokenIndexError(`damaged at byte ${offset}`);
    return { offset, words, changed: false };
  }

  /** Makes `count` empty pieces from `offset` on, which lie in `image` itself: all zeros, and of this image. */
  clear(image: Uint8Array, offset: number, length: number, count: number): void {
    for (let number = 0; number < count; number++) {
      const at = offset + number * length;
      this.keep({ offset: at, words: wordsOf(image.subarray(at, at + length)), changed: true });
    }
  }

  private keep(piece: Piece): Piece {
    this.loaded.set(piece.offset, piece);
    this.pieces.push(piece);
    return piece;
  }

  /** Writes what was changed. */
  save(): void {
    for (const piece of this.pieces) {
      if (!piece.changed) continue;
      piece.words[0] = this.checksum(piece.words, piece.offset);
      this.bytes.write(piece.offset, bytesOf(piece.words));
      piece.changed = false;
    }
  }

  /** The offset is part of it: a piece in another's place is damaged as well. */
  private checksum(words: BigUint64Array, offset: number): bigint {
    return BigInt(Bun.hash(words.subarray(1), this.seed ^ BigInt(offset)));
  }
}

/** The same bytes as words. */
export const wordsOf = (bytes: Uint8Array): BigUint64Array =>
  new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);

/** The same words as bytes. */
export const bytesOf = (words: BigUint64Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** An image in memory. */
export const memoryBytes = (image: Uint8Array): Bytes => ({
  read: (offset, length) => {
    if (offset + length > image.length) throw new BrokenIndexError("the image ends early");
    return image.slice(offset, offset + length);
  },
  write: (offset, bytes) => image.set(bytes, offset),
});
