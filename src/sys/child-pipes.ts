/** The pipes between this program and a child: what it is given, and what it says. All errors are SystemError. */
import { close, POLLIN, POLLOUT, poll, read } from "./descriptor.ts";
import { failedWith, SystemError } from "./errno.ts";
import { O } from "./file.ts";
import { attempt, call } from "./syscall.ts";

/** A pipe between this program and a child. Its ends are -1 when they are closed. */
export interface Pipe {
  ours: number;
  theirs: number;
  /** Bytes that the child is given, or of what it says that are kept. */
  readonly most: number;
  /** Bytes that were given or kept. */
  length: number;
  /** Bytes that were read and not kept. */
  beyond: number;
  readonly pieces: Uint8Array[];
}

/** What a child gets and says. */
export interface Conversation {
  readonly input: Uint8Array;
  readonly stdin: Pipe;
  readonly stdout: Pipe;
  readonly stderr: Pipe;
}

/**
 * Opens the pipes to standard input, output and error of a child, and puts each into `pipes` at once, which the caller
 * closes. `most` is how much goes through each. @throws SystemError
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
  // A child that does not read must not hold this program: writes return instead of waiting (EAGAIN).
  call("fcntl", 72, 25, undefined, stdin.ours, 4 /* F_SETFL */, O.NONBLOCK);
  if (most[0] === 0) closeOurs(stdin);
  return [stdin, open(false, most[1]), open(false, most[2])];
}

/** Closes our end, if it is open. */
export function closeOurs(pipe: Pipe): void {
  if (pipe.ours >= 0) close(pipe.ours);
  pipe.ours = -1;
}

/** To be called when the child has its ends: a pipe ends when all have closed it. */
export function closeTheirs(pipes: readonly Pipe[]): void {
  for (const pipe of pipes) {
    if (pipe.theirs >= 0) close(pipe.theirs);
    pipe.theirs = -1;
  }
}

/** Bytes that move at once: what a pipe holds. */
const PIECE = 65536;

/** Hands over what the pipe takes. A child that closes its end does not want the rest. */
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

/** Waits for something to move, at most so many milliseconds, and moves it. Whether there was something. */
export function moveSome(conversation: Conversation, milliseconds: number): boolean {
  const { stdin, stdout, stderr } = conversation;
  const open = [stdin, stdout, stderr].filter(({ ours }) => ours >= 0);
  const fds = new Int32Array(2 * open.length);
  for (const [index, pipe] of open.entries())
    fds.set([pipe.ours, pipe === stdin ? POLLOUT : POLLIN], 2 * index);
  if (poll(fds, open.length, Math.max(0, milliseconds)) === 0) return false;
  for (const [index, pipe] of open.entries()) {
    // What has happened is the upper half.
    if ((fds[2 * index + 1] ?? 0) >>> 16 === 0) continue;
    if (pipe === stdin) give(conversation);
    else take(pipe);
  }
  return true;
}
