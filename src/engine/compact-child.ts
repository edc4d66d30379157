/** How the compact file starts programs. */
import { ARM, FCNTL, GETPID, host, MASK_BYTES, syscall, utf8 } from "./compact-host.ts";

/** Pointers to strings, with a null behind them. They point to `strings`, which must live as long. */
function vectorOf(texts: readonly string[]): {
  readonly pointers: BigUint64Array;
  readonly strings: unknown;
} {
  const strings = texts.map((text) => utf8(`${text}\0`));
  const pointers = new BigUint64Array(strings.length + 1);
  for (const [index, string] of strings.entries()) pointers[index] = BigInt(host.address(string));
  return { pointers, strings };
}

/** A step of a child is a row of words: the number of a system call, six arguments, and the value without which it fails. */
const STEP_WORDS = 8;
const MOST_STEPS = 8;
/** Any value will do. */
const ANY = -1;

/** Starts a program; see bun.ts. @returns its process id, or the negative error number */
export function spawn(
  path: string,
  argv: readonly string[],
  variables: readonly string[],
  stdio: readonly number[],
): number {
  const [program, words, environment] = [utf8(`${path}\0`), vectorOf(argv), vectorOf(variables)];
  const noSignals = new BigUint64Array(1);
  const steps = new Float64Array(STEP_WORDS * MOST_STEPS);
  let at = 0;
  // Written word by word, since iterating over lists of lists costs much.
  const step = (wanted: number, number: number, a = 0, b = 0, c = 0, d = 0): void => {
    steps[at] = number;
    steps[at + 1] = a;
    steps[at + 2] = b;
    steps[at + 3] = c;
    steps[at + 4] = d;
    steps[at + STEP_WORDS - 1] = wanted;
    at += STEP_WORDS;
  };
  step(ANY, ARM ? 154 : 109 /* setpgid */);
  // When this program is killed the child ends with it, before the caller can know: what the child would write after that,
  // no DEL would remove. The child of a program that was killed before has another parent.
  step(ANY, ARM ? 167 : 157 /* prctl */, 1 /* PR_SET_PDEATHSIG */, 9 /* SIGKILL */);
  step(syscall(GETPID), ARM ? 173 : 110 /* getppid */);
  for (const [to, from] of stdio.entries())
    if (from === to) step(0, FCNTL, to, 2 /* F_SETFD */);
    else step(to, ARM ? 24 : 292 /* dup3 */, from, to);
  step(ANY, ARM ? 135 : 14 /* rt_sigprocmask */, 2 /* SIG_SETMASK */, host.address(noSignals), 0, MASK_BYTES);
  const tables = [host.address(words.pointers), host.address(environment.pointers)] as const;
  step(0, ARM ? 221 : 59 /* execve */, host.address(program), ...tables);
  return host.spawn(steps.subarray(0, at));
}
