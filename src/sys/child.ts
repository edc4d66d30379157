/**
 * Child processes: the one way to run another program to its end. What it says is taken in up to stated limits, and it
 * lasts no longer than the call: then SIGTERM, and after a grace SIGKILL, for it and all that it has started. Synchronous,
 * without the runtime's event loop (docs/decisions/0022-child-processes.md).
 */

import { Input, moveSome, Output } from "./child-streams.ts";
import { now, pause } from "./clock.ts";
import { timeLeft } from "./deadline.ts";
import { failedWith } from "./errno.ts";
import * as libc from "./libc.ts";
import { spawn } from "./spawn.ts";
import { cannotStart, NotStartedError } from "./start-failure.ts";

/** Bytes of standard output: far more than any result, and little enough for a small node's memory. */
export const MOST_OUTPUT = 16 * 2 ** 20;
/** Bytes of standard error that are kept. The rest is taken in and dropped, so that the child can go on. */
export const MOST_WORDS = 64 * 1024;
/** Milliseconds between SIGTERM and SIGKILL. Also how long one that has ended is listened to by way of its own children. */
const GRACE = 2000;
/** Milliseconds in which an installer has written a program that is busy now (ETXTBSY). */
const BUSY = 5000;
/** Milliseconds between two looks whether a child has ended, at most. Its output wakes this program by itself. */
const LOOK_EVERY = 50;

/** A program and what it gets. */
export interface Program {
  readonly path: string;
  /** Without its name. */
  readonly arguments?: readonly string[];
  /** This process's own when left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: Uint8Array;
  /** Milliseconds that it may take at most, next to what is left of the call. */
  readonly most?: number;
}

/** How a program ended, and what it said. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Name of that signal: "SIGKILL". */
  readonly signal: string | undefined;
  readonly stdout: Uint8Array;
  /** The first MOST_WORDS bytes. */
  readonly stderr: Uint8Array;
}

/** A program that had to be stopped. The message says why, without its name; `isTemporary`: for lack of time. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
  readonly isTemporary: boolean;
  /** What it said on standard error. */
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
  const streams = {
    stdin: new Input(program.stdin ?? new Uint8Array()),
    stdout: new Output(MOST_OUTPUT),
    stderr: new Output(MOST_WORDS),
  };
  const all = Object.values(streams);
  try {
    using child = new Child(
      start(
        program,
        all.map(({ childEnd }) => childEnd),
      ),
      streams,
    );
    for (const stream of all) stream.closeChildEnd();
    return child.run(milliseconds);
  } finally {
    for (const stream of all) {
      stream.closeChildEnd();
      stream.close();
    }
  }
}

function start(program: Program, stdio: readonly number[]): number {
  const argv = [program.path, ...(program.arguments ?? [])];
  const variables = Object.entries(program.environment ?? Bun.env);
  const environment = variables.flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`));
  libc.expectChildren();
  const end = now() + timeLeft(BUSY);
  for (;;) {
    try {
      return spawn(program.path, argv, environment, stdio);
    } catch (error) {
      if (!failedWith(error, "ETXTBSY") || now() >= end) throw cannotStart(program.path, error);
    }
    pause(25);
  }
}

const SIGKILL = 9;
const SIGTERM = 15;
/** siginfo_t of 64-bit machines: what happened, to whom, and the exit code or signal. */
const SI_CODE = 8;
const SI_PID = 16;
const SI_STATUS = 24;
const CLD_EXITED = 1;
/** Names of the signals from 1 on (asm/signal.h). */
const SIGNALS =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/** A running child, which leads a process group. Disposing of it leaves nothing of it behind. */
class Child implements Disposable {
  private readonly pid: number;
  private readonly stdout: Output;
  private readonly stderr: Output;
  private readonly streams: readonly (Input | Output)[];
  private readonly info = new DataView(new ArrayBuffer(128));
  /** Why it had to be stopped. */
  private reason: { readonly text: string; readonly isTemporary: boolean } | undefined;

  constructor(pid: number, streams: { stdin: Input; stdout: Output; stderr: Output }) {
    this.pid = pid;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.streams = Object.values(streams);
  }

  /** Within so many milliseconds, the grace included. */
  run(milliseconds: number): Ended {
    const grace = Math.min(GRACE, milliseconds / 2);
    const deadline = now() + milliseconds;
    let end = deadline - grace;
    let lingers = false;
    let slice = 1;
    while (!this.hasEnded || this.stdout.fd >= 0 || this.stderr.fd >= 0) {
      if (now() >= end) {
        // What still holds the pipes of a child that has ended is not waited for any longer.
        if (this.reason !== undefined || lingers) break;
        this.stop(
          `it had not ended after ${seconds(milliseconds - grace)} and was stopped; try again later`,
          true,
        );
        end = deadline;
      } else if (this.reason === undefined && this.stdout.beyond > 0) {
        this.stop(`it printed more than ${MOST_OUTPUT / 2 ** 20} MiB and was stopped`, false);
        this.stdout.close();
        end = Math.min(deadline, now() + grace);
      } else if (this.reason === undefined && this.hasEnded && !lingers) {
        lingers = true;
        end = Math.min(deadline, now() + grace);
      }
      slice = moveSome(this.streams, Math.min(slice, end - now())) ? 1 : Math.min(slice * 2, LOOK_EVERY);
    }
    const stderr = this.stderr.bytes();
    if (this.reason !== undefined) throw new StoppedError(this.reason.text, this.reason.isTemporary, stderr);
    return { ...this.status(), stdout: this.stdout.bytes(), stderr };
  }

  private stop(text: string, isTemporary: boolean): void {
    this.reason = { text, isTemporary };
    libc.kill(-this.pid, SIGTERM);
  }

  /** It stays a zombie, so that its number and its group's are nothing else's. */
  private get hasEnded(): boolean {
    const hasSaid = () => this.info.getInt32(SI_PID, true) !== 0;
    if (!hasSaid()) libc.waitid(this.pid, new Uint8Array(this.info.buffer), true);
    return hasSaid();
  }

  private status(): Pick<Ended, "exitCode" | "signal"> {
    const value = this.info.getInt32(SI_STATUS, true);
    if (this.info.getInt32(SI_CODE, true) === CLD_EXITED) return { exitCode: value, signal: undefined };
    const name = SIGNALS.split(" ")[value - 1];
    return { exitCode: null, signal: name === undefined ? `signal ${value}` : `SIG${name}` };
  }

  [Symbol.dispose](): void {
    if (this.reason !== undefined || !this.hasEnded) libc.kill(-this.pid, SIGKILL);
    // One that the kernel cannot end, in a system call that hangs, goes to init with the end of this process.
    for (let tries = 0; tries < 100 && !this.hasEnded; tries++) pause(1);
    if (this.hasEnded) libc.waitid(this.pid, new Uint8Array(128), false);
  }
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1).replace(/\.0$/, "")} s`;
