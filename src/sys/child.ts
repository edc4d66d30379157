/**
 * Runs other programs to their end; every child is started here. Output is read up to a limit. A child that outlasts the
 * call gets SIGTERM, and after a grace period SIGKILL, as does all that it has started. Synchronous, without the runtime's
 * event loop (docs/decisions/0022-child-processes.md).
 */

import { concatenated, environment, now, pause, spawn } from "#engine";
import { type Conversation, closeOurs, closeTheirs, moveSome, openPipes, type Pipe } from "./child-pipes.ts";
import { timeLeft } from "./deadline.ts";
import { failedWith, SystemError } from "./errno.ts";
import { cannotStart, NotStartedError } from "./start-failure.ts";
import { attempt, call, tell } from "./syscall.ts";

/** Bytes of standard output: far more than any result needs, and few enough for a small node's memory. */
export const MOST_OUTPUT = 16 * 2 ** 20;
/** Bytes of standard error that are kept. The rest is read and dropped, so that the child can go on. */
export const MOST_WORDS = 64 * 1024;
/** Milliseconds between SIGTERM and SIGKILL; also how long the children of an ended child may still write output. */
const GRACE = 2000;
/** Milliseconds to wait while an installer is still writing the program (ETXTBSY). */
const BUSY = 5000;
/** Most milliseconds between two checks whether a child has ended. Output wakes this program at once. */
const LOOK_EVERY = 50;

let waiting: (() => void) | undefined;

/** From here on calls `look` while a child is waited for, at least each 50 ms: a person may want to see for whom. */
export function whileWaiting(look: () => void): void {
  waiting = look;
}

/** A program and its input. */
export interface Program {
  readonly path: string;
  /** Without the program's name. */
  readonly arguments?: readonly string[];
  /** This process's own when left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: Uint8Array;
  /** Most milliseconds that it may take; never more than what is left of the call. */
  readonly most?: number;
  /** Bytes of standard error that are kept; MOST_WORDS when left out. */
  readonly mostWords?: number;
}

/** How a program ended, and its output. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Name of that signal: "SIGKILL". */
  readonly signal: string | undefined;
  readonly stdout: Uint8Array;
  /** The first `mostWords` bytes. */
  readonly stderr: Uint8Array;
}

/** A program was stopped. The message says why, without its name; `isTemporary`: its time was used up. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
  readonly isTemporary: boolean;
  /** Its standard error. */
  readonly stderr: Uint8Array;

  constructor(reason: string, isTemporary: boolean, stderr: Uint8Array) {
    super(reason);
    this.isTemporary = isTemporary;
    this.stderr = stderr;
  }
}

/**
 * Runs a program to its end.
 * @throws NotStartedError when it did not run at all; StoppedError when it took too long or printed too much.
 */
export function runProgram(program: Program): Ended {
  const milliseconds = timeLeft(program.most);
  if (milliseconds <= 0)
    throw new NotStartedError("nothing is left of the call's time; try again later", true);
  const input = program.stdin ?? new Uint8Array();
  const pipes: Pipe[] = [];
  try {
    const [stdin, stdout, stderr] = openPipes(pipes, [
      input.length,
      MOST_OUTPUT,
      program.mostWords ?? MOST_WORDS,
    ]);
    const pid = start(program, [stdin.theirs, stdout.theirs, stderr.theirs]);
    closeTheirs(pipes);
    return attend(pid, { input, stdin, stdout, stderr }, milliseconds);
  } finally {
    closeTheirs(pipes);
    pipes.forEach(closeOurs);
  }
}

/** @returns the process id */
function start(program: Program, stdio: readonly number[]): number {
  const argv = [program.path, ...(program.arguments ?? [])];
  const variables: string[] = [];
  for (const [name, value] of Object.entries(program.environment ?? environment))
    if (value !== undefined) variables.push(`${name}=${value}`);
  // If the caller ignores SIGCHLD (17), this program inherits that, and the kernel reaps a child before waitid(2) can
  // report its end. A kernel struct sigaction of zeros means SIG_DFL.
  call("rt_sigaction", 13, 134, undefined, 17, new Uint8Array(32), null, 8);
  // The child gets only the first three descriptors, not the inherited ones. From Linux 5.11 on.
  attempt("close_range", 436, 436, 3, 0x7fffffff, 4 /* CLOSE_RANGE_CLOEXEC */);
  const end = now() + timeLeft(BUSY);
  for (;;) {
    const pid = spawn(program.path, argv, variables, stdio);
    tell?.(`start ${argv.join(" ")}: ${pid > 0 ? `process ${pid}` : `error ${-pid}`}`);
    if (pid > 0) return pid;
    const error = new SystemError("start", -pid, program.path);
    if (!failedWith(error, "ETXTBSY") || now() >= end) throw cannotStart(program.path, error);
    pause(25);
  }
}

const SIGKILL = 9;
const SIGTERM = 15;
/** Names of the signals from 1 on (asm/signal.h). */
const SIGNALS =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/** Signals the child and all that it has started: the child leads their process group. */
function signal(pid: number, number: number): void {
  attempt("kill", 62, 129, -pid, number);
}

/**
 * Whether a child has ended; does not wait. Then `info`, a siginfo_t of 128 bytes, is filled; else its si_pid stays 0.
 * With WNOWAIT the child stays a zombie, so that its process id and group id are not reused.
 */
function hasEnded(pid: number, info: Int32Array, options = 0x0100_0000 /* WNOWAIT */): boolean {
  const WNOHANG_WEXITED = 1 | 4;
  if (info[4] === 0)
    call("waitid", 247, 95, undefined, 1 /* P_PID */, pid, info, WNOHANG_WEXITED | options, null);
  return info[4] !== 0;
}

/** Serves a child's pipes until it ends, at most so many milliseconds with the grace, and leaves no process behind. */
function attend(pid: number, conversation: Conversation, milliseconds: number): Ended {
  const { stdout, stderr } = conversation;
  const info = new Int32Array(32);
  const grace = Math.min(GRACE, milliseconds / 2);
  const deadline = now() + milliseconds;
  let end = deadline - grace;
  let stopped: { reason: string; isTemporary: boolean } | undefined;
  let lingers = false;
  let slice = 1;
  try {
    while (!hasEnded(pid, info) || stdout.ours >= 0 || stderr.ours >= 0) {
      if (now() >= end) {
        // A process that still holds the pipes of an ended child is not waited for any longer.
        if (stopped !== undefined || lingers) break;
        const reason = `it had not ended after ${seconds(milliseconds - grace)} and was stopped; try again later`;
        stopped = { reason, isTemporary: true };
        signal(pid, SIGTERM);
        end = deadline;
      } else if (stopped === undefined && stdout.beyond > 0) {
        const reason = `it printed more than ${MOST_OUTPUT / 2 ** 20} MiB and was stopped`;
        stopped = { reason, isTemporary: false };
        signal(pid, SIGTERM);
        closeOurs(stdout);
        end = Math.min(deadline, now() + grace);
      } else if (stopped === undefined && !lingers && hasEnded(pid, info)) {
        lingers = true;
        end = Math.min(deadline, now() + grace);
      }
      waiting?.();
      slice = moveSome(conversation, Math.min(slice, end - now())) ? 1 : Math.min(slice * 2, LOOK_EVERY);
    }
  } finally {
    if (stopped !== undefined || !hasEnded(pid, info)) signal(pid, SIGKILL);
    // A child that hangs in a system call cannot be killed. init inherits it when this process ends.
    for (let tries = 0; tries < 100 && !hasEnded(pid, info); tries++) pause(1);
    if (hasEnded(pid, info)) hasEnded(pid, new Int32Array(32), 0);
  }
  const words = concatenated(stderr.pieces);
  if (stopped !== undefined) throw new StoppedError(stopped.reason, stopped.isTemporary, words);
  // si_code is 1 for CLD_EXITED; si_status is the exit code, or the signal.
  const [, , code, , , , status = 0] = info;
  const name = SIGNALS.split(" ")[status - 1];
  return {
    exitCode: code === 1 ? status : null,
    signal: code === 1 ? undefined : name === undefined ? `signal ${status}` : `SIG${name}`,
    stdout: concatenated(stdout.pieces),
    stderr: words,
  };
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1).replace(/\.0$/, "")} s`;
}
