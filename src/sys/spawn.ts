/**
 * Starts a program with posix_spawn(3) of the C library: the one way to a child process that leaves this program's
 * threads, memory and signals alone. What becomes of the child is child.ts's business.
 */
import { SystemError } from "./errno.ts";
import { addressOf, closeOnExec, openLibc } from "./libc.ts";

const SYMBOLS = {
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
} as const;

/** More than posix_spawnattr_t (336) and posix_spawn_file_actions_t (80) have in glibc and musl. */
const ROOM = 512;
/** sigset_t of both. */
const SIGNALS = 128;
/** spawn.h, the same in both. SETPGROUP with the initial 0 makes the child the first of a group of its own. */
const FLAGS = 0x02 /* SETPGROUP */ | 0x04 /* SETSIGDEF */ | 0x08; /* SETSIGMASK */

const encoder = new TextEncoder();

/** A NULL-terminated array of pointers to NUL-terminated strings, with the strings behind it in the same memory. */
function vectorOf(texts: readonly string[]): Uint8Array {
  const strings = texts.map((text) => encoder.encode(`${text}\0`));
  const table = (strings.length + 1) * 8;
  const bytes = new Uint8Array(new ArrayBuffer(strings.reduce((sum, { length }) => sum + length, table)));
  const pointers = new DataView(bytes.buffer);
  const base = BigInt(addressOf(bytes));
  let at = table;
  for (const [index, string] of strings.entries()) {
    pointers.setBigUint64(index * 8, base + BigInt(at), true);
    bytes.set(string, at);
    at += string.length;
  }
  return bytes;
}

/**
 * Starts the program at `path` in a process group of its own, with default handling of all signals, and no descriptors
 * but those of `stdio`, which become 0, 1 and 2. @returns its process id. @throws SystemError as of execve(2)
 */
export function spawn(
  path: string,
  argv: readonly string[],
  environment: readonly string[],
  stdio: readonly number[],
): number {
  const libc = openLibc(SYMBOLS);
  const actions = new Uint8Array(ROOM);
  const attributes = new Uint8Array(ROOM);
  libc.posix_spawn_file_actions_init(actions);
  libc.posix_spawnattr_init(attributes);
  libc.posix_spawnattr_setflags(attributes, FLAGS);
  libc.posix_spawnattr_setsigdefault(attributes, new Uint8Array(SIGNALS).fill(0xff));
  libc.posix_spawnattr_setsigmask(attributes, new Uint8Array(SIGNALS));
  for (const [to, from] of stdio.entries()) libc.posix_spawn_file_actions_adddup2(actions, from, to);
  closeOnExec();
  const pid = new Int32Array(1);
  const program = encoder.encode(`${path}\0`);
  const errno = libc.posix_spawn(pid, program, actions, attributes, vectorOf(argv), vectorOf(environment));
  libc.posix_spawn_file_actions_destroy(actions);
  if (errno !== 0) throw new SystemError("start", errno, path);
  return pid[0] ?? 0;
}
