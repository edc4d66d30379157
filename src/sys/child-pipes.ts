/** The pipes between this program and a child, for its input and its output. All errors are SystemError. */
import { close, POLLIN, POLLOUT, poll, read } from "./descriptor.ts";
import { failedWith, SystemError } from "./errno.ts";
import { O } from "./file.ts";
import { attempt, call } from "./syscall.ts";

/** A pipe between this program and a child. An end that is closed is -1. */
export interface Pipe {
  ours: number;
  theirs: number;
  /** Bytes to write, or the most bytes of output to keep. */
  readonly most: number;
  /** Bytes written or kept so far. */
  length: number;
  /** Bytes read and dropped. */
  beyond: number;
  readonly pieces: Uint8Array[];
}

/** The input of a child, and the pipes of its three standard streams. */
export interface Conversation {
  readonly input: Uint8Array;
  readonly stdin: Pipe;
  readonly stdout: Pipe;
  readonly stderr: Pipe;
}

/**
 * Opens the pipes to standard input, output and error of a child; `most` has the limit of each. Each pipe is added to
 * `pipes` as soon as it is open, so that the caller can close it after an error. @throws SystemError
 */
export function openPipes(pipes: Pipe[], most: [number, number, number]): [Pipe, Pipe, Pipe] {
  const open = (isInput: boolean, most: number): Pipe => {
    const ends = new Int32Array(2);
    call("pipe2", 293, 59, undefined, ends, O.CLOEXEC);
    const [reads = -1, writes = -1] = ends;
    const [ours, theirs] = isInput ? [writes, reads] : [reads, writes];
    const pipe = { ours, theirs, most, length: 0, beyond: 0, pieces: [] };
    pipes.push(pipe);
    return pipe;
  };
  const stdin = open(true, most[0]);
  // A child that does not read must not block this program: a write returns EAGAIN instead of waiting.
  call("fcntl", 72, 25, undefined, stdin.ours, 4 /* F_SETFL */, O.NONBLOCK);
  if (most[0] === 0) closeOurs(stdin);
  return [stdin, open(false, most[1]), open(false, most[2])];
}

/** Closes our end, if it is open. */
export function closeOurs(pipe: Pipe): void {
  if (pipe.ours >= 0) close(pipe.ours);
  pipe.ours = -1;
}

/** Closes the child's ends. Call it once the child has them: a pipe ends only when every copy of its end is closed. */
export function closeTheirs(pipes: readonly Pipe[]): void {
  for (const pipe of pipes) {
    if (pipe.theirs >= 0) close(pipe.theirs);
    pipe.theirs = -1;
  }
}

/** Bytes that are moved at once: the capacity of a pipe. */
const PIECE = 65536;

/** Writes as much input as the pipe takes. A child that closes its end does not want the rest. */
function give({ input, stdin }: Conversation): void {
  const count = attempt(
    "write",
    1,
    64,
    stdin.ours,
    input.subarray(stdin.length),
    Math.min(PIECE, input.length - stdin.length),
  );
  if (count >= 0) stdin.length += count;
  else {
    const error = new SystemError("write", -count);
    if (failedWith(error, "EAGAIN", "EINTR")) return;
    if (!failedWith(error, "EPIPE")) throw error;
    stdin.length = input.length;
  }
  if (stdin.length === input.length) closeOurs(stdin);
}

function take(pipe: Pipe): void {
  const piece = new Uint8Array(PIECE);
  const count = read(pipe.ours, piece);
  if (count === 0) closeOurs(pipe);
  const kept = Math.min(count, pipe.most - pipe.length);
  if (kept > 0) pipe.pieces.push(piece.slice(0, kept));
  pipe.length += kept;
  pipe.beyond += count - kept;
}

/** Waits until a pipe is ready, at most so many milliseconds, and moves its bytes. Returns whether one was ready. */
export function moveSome(conversation: Conversation, milliseconds: number): boolean {
  const { stdin, stdout, stderr } = conversation;
  const open = [stdin, stdout, stderr].filter(({ ours }) => ours >= 0);
  const fds = new Int32Array(2 * open.length);
  for (const [index, pipe] of open.entries())
    fds.set([pipe.ours, pipe === stdin ? POLLOUT : POLLIN], 2 * index);
  if (poll(fds, open.length, Math.max(0, milliseconds)) === 0) return false;
  for (const [index, pipe] of open.entries()) {
    // The upper half holds the events that occurred.
    if ((fds[2 * index + 1] ?? 0) >>> 16 === 0) continue;
    if (pipe === stdin) give(conversation);
    else take(pipe);
  }
  return true;
}
