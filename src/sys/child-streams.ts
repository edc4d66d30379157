/** The pipes between this program and a child: what it is given, and what it says. */
import { failedWith } from "./errno.ts";
import * as libc from "./libc.ts";

const POLLIN = 1;
const POLLOUT = 4;
/** Bytes that move at once: what a pipe holds. */
const PIECE = 65536;

/** A pipe, of which the child gets one end. */
abstract class Stream {
  /** What poll(2) is to wait for. */
  abstract readonly events: number;
  /** Our end; -1 when it is closed. */
  fd: number;
  private theirs: number;

  constructor(fd: number, theirs: number) {
    this.fd = fd;
    this.theirs = theirs;
  }

  /** The end that the child gets. */
  get childEnd(): number {
    return this.theirs;
  }

  /** To be called when the child has its end: a pipe ends when all have closed it. */
  closeChildEnd(): void {
    if (this.theirs >= 0) libc.close(this.theirs);
    this.theirs = -1;
  }

  /** Moves what can be moved at once. To be called when poll(2) says so. */
  abstract proceed(): void;

  close(): void {
    if (this.fd >= 0) libc.close(this.fd);
    this.fd = -1;
  }
}

/** What a child is given. */
export class Input extends Stream {
  readonly events = POLLOUT;
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    const [theirs, ours] = libc.pipe();
    super(ours, theirs);
    this.bytes = bytes;
    libc.setNonblocking(ours);
    if (bytes.length === 0) this.close();
  }

  /** Hands over what the pipe takes. A child that closes its end does not want the rest. */
  proceed(): void {
    try {
      this.at += libc.write(this.fd, this.bytes.subarray(this.at, this.at + PIECE));
    } catch (error) {
      if (failedWith(error, "EAGAIN")) return;
      if (!failedWith(error, "EPIPE")) throw error;
      this.at = this.bytes.length;
    }
    if (this.at === this.bytes.length) this.close();
  }
}

/** One for all: what a call put there is copied before the next. */
let piece: Uint8Array | undefined;

/** What a child says, up to a limit; what is beyond it is taken in and counted. */
export class Output extends Stream {
  readonly events = POLLIN;
  private readonly most: number;
  private readonly pieces: Uint8Array[] = [];
  private length = 0;
  /** Bytes beyond the limit. */
  beyond = 0;

  constructor(most: number) {
    const [ours, theirs] = libc.pipe();
    super(ours, theirs);
    this.most = most;
  }

  proceed(): void {
    piece ??= new Uint8Array(PIECE);
    const count = libc.read(this.fd, piece);
    if (count === 0) this.close();
    const kept = Math.min(count, this.most - this.length);
    if (kept > 0) this.pieces.push(piece.slice(0, kept));
    this.length += kept;
    this.beyond += count - kept;
  }

  /** What was said, without what is beyond the limit. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.pieces) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Bytes of struct pollfd: i32 fd, i16 events, i16 revents. */
const POLLFD = 8;

/** Waits for something to move, at most so many milliseconds, and moves it. Whether there was something. */
export function moveSome(streams: readonly Stream[], milliseconds: number): boolean {
  const open = streams.filter(({ fd }) => fd >= 0);
  const fds = new DataView(new ArrayBuffer(POLLFD * streams.length));
  for (const [index, { fd, events }] of open.entries()) {
    fds.setInt32(index * POLLFD, fd, true);
    fds.setInt16(index * POLLFD + 4, events, true);
  }
  const wait = Math.max(0, Math.ceil(milliseconds));
  if (libc.poll(new Uint8Array(fds.buffer), open.length, wait) === 0) return false;
  for (const [index, stream] of open.entries()) {
    if (fds.getInt16(index * POLLFD + 6, true) !== 0) stream.proceed();
  }
  return true;
}
