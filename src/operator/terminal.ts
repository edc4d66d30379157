/** The terminal of a command, or the pipe or file in its place. */
import { read } from "../sys/descriptor.ts";
import { attempt } from "../sys/syscall.ts";
import type { Program, Terminal } from "./input.ts";

/** TIOCGWINSZ of uapi asm-generic/ioctls.h: struct winsize has rows and columns of 16 bits. Only terminals answer. */
const TIOCGWINSZ = 0x5413;

/** Bytes of an answer that are read. */
const ANSWER = 256;

/** Columns of the terminal behind a descriptor; undefined if it is not a terminal. */
export function columnsOf(fd: number): number | undefined {
  const size = new Uint16Array(4);
  if (attempt("ioctl", 16, 29, fd, TIOCGWINSZ, size) < 0) return undefined;
  // A serial line does not know its size.
  return size[1] || 80;
}

/** The terminal of this process. */
export function openTerminal({ stdout, stderr, environment }: Program): Terminal {
  const columns = columnsOf(1);
  const { NO_COLOR = "", TERM } = environment;
  return {
    stdout,
    stderr,
    environment,
    columns: columns ?? Number.POSITIVE_INFINITY,
    isTerminal: columns !== undefined,
    colour: columns !== undefined && NO_COLOR === "" && TERM !== "dumb",
    ask(question) {
      if (columnsOf(0) === undefined || columnsOf(2) === undefined) return undefined;
      stderr(`${question} [y/N] `);
      // A terminal gives a line to one read(2).
      const line = new Uint8Array(ANSWER);
      const answer = new TextDecoder().decode(line.subarray(0, read(0, line)));
      return /^\s*y(es)?\s*$/i.test(answer);
    },
  };
}
