/**
 * BRIDGEHEAD_TRACE=FILE writes what a call does: each step and each message of netlink in words, a line each, with the process id
 * and the microseconds since its start (rule O18). It observes the system calls; no other code knows of it, and it is loaded
 * only when the variable is set. Whatever fails here is left out and never fails the call.
 */
import { now } from "#engine";
import { runCall } from "../host.ts";
import { O } from "../sys/file.ts";
import { ARM, attempt, cString, type MakeCall, type Observer, observe, tell } from "../sys/syscall.ts";
import { CallWords, NUMBERS } from "./calls.ts";

/** Standard error in place of a file, and its descriptor. */
const STANDARD_ERROR = "-";
const STDERR = 2;
const AT_FDCWD = -100;
/** A terminal does not become that of this process (NOCTTY), and a fifo is not waited for. */
const FLAGS = O.WRONLY | O.CREAT | 0o2000 /* APPEND */ | O.CLOEXEC | O.NOFOLLOW | O.NONBLOCK | 0o400;
const POLLOUT = 4;

/** As runCall of host.ts, and traces the call if the file can be opened: an absolute path, or "-" for standard error. */
export const runTraced: typeof runCall = (calledAs, plugin, streams) => {
  begin(streams.environment);
  return runCall(calledAs, plugin, streams);
};

function begin(variables: Readonly<Record<string, string | undefined>>): void {
  const fd = descriptorOf(variables.BRIDGEHEAD_TRACE ?? "");
  if (fd < 0) return;
  const pid = attempt("getpid", 39, 172);
  observe((make) => observerOf(make, (words) => write(make, fd, `${pid} ${time()} ${words}`)));
  const { CNI_COMMAND, CNI_CONTAINERID: id, CNI_IFNAME, CNI_NETNS } = variables;
  const attachment = id ? ` of container ${id}, interface ${CNI_IFNAME}, namespace ${CNI_NETNS}` : "";
  tell?.(`begin ${CNI_COMMAND}${attachment}`);
}

const time = (): string => String(Math.round(now() * 1000)).padStart(7);

function descriptorOf(file: string): number {
  if (file === STANDARD_ERROR) return STDERR;
  if (!file.startsWith("/") || file.includes("\0")) return -1;
  return attempt("openat", 257, 56, AT_FDCWD, cString(file), FLAGS, 0o600);
}

/** A reader of standard error that does not read is waited for a second. */
function write(make: MakeCall, fd: number, line: string): void {
  const processor = ARM ? 1 : 0;
  const ready = Int32Array.of(fd, POLLOUT);
  if (make(NUMBERS.ppoll[processor], ready, 1, BigInt64Array.of(1n, 0n)) <= 0) return;
  const bytes = new TextEncoder().encode(`${line.replaceAll("\n", " ")}\n`);
  make(NUMBERS.write[processor], fd, bytes, bytes.length);
}

/** Makes calls, and writes what each was and how it ended. */
function observerOf(make: MakeCall, say: (words: string) => void): Observer {
  const words = new CallWords();
  return {
    tell: say,
    call: (number, a, b, c, d, e, f) => {
      const began = now();
      const value = make(number, a, b, c, d, e, f);
      try {
        for (const line of words.of(number, [a, b, c, d], value, now() - began)) say(line);
      } catch {
        // Too little memory, say: the call goes on.
      }
      return value;
    },
  };
}
