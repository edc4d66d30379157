/** What a system call does, in words: files, locks, namespaces, waits, and by messages.ts what is said over netlink. */
import type { Memory, Word } from "#engine";
import { describeErrno, EINTR } from "../sys/errno.ts";
import { O } from "../sys/file.ts";
import { ARM } from "../sys/syscall.ts";
import { Conversation } from "./messages.ts";
import { textIn } from "./values.ts";

/** Numbers on x86-64 and arm64 (asm/unistd_64.h, asm-generic/unistd.h) of the calls that have words. */
export const NUMBERS = {
  openat: [257, 56],
  close: [3, 57],
  read: [0, 63],
  write: [1, 64],
  pwrite64: [18, 68],
  renameat: [264, 38],
  linkat: [265, 37],
  unlinkat: [263, 35],
  mkdirat: [258, 34],
  ftruncate: [77, 46],
  fsetxattr: [190, 7],
  flock: [73, 32],
  setns: [308, 268],
  socket: [41, 198],
  connect: [42, 203],
  sendto: [44, 206],
  recvfrom: [45, 207],
  ppoll: [271, 73],
  waitid: [247, 95],
} as const;

type Name = keyof typeof NUMBERS;

/** Of O.TMPFILE, the bit that is not that of O.DIRECTORY. */
const O_TMPFILE = 0o20000000;
const AF_NETLINK = 16;
const MSG_PEEK = 2;
const LOCK_NB = 4;
const LOCKS: Readonly<Record<number, string>> = {
  1: "share the lock",
  2: "take the lock",
  8: "leave the lock",
};
/** Milliseconds from which a wait is told. */
const LONG = 1;
/** Most bytes of a file that are shown. */
const SHOWN = 200;
const SHOWN_OF_CALL = 4096;
/** Settings of the kernel are told whole, and when they are read. */
const SETTINGS = "/proc/sys/";
/** What the thread's own namespace is called. */
const HOST = "host";

const decoder = new TextDecoder();

/** Knows what descriptors stand for, and in which namespace the thread is. */
export class CallWords {
  private readonly names = new Map<number, Name>();
  private readonly paths = new Map<number, string>([
    [0, "standard input"],
    [1, "standard output"],
    [2, "standard error"],
  ]);
  private readonly conversations = new Map<number, Conversation>();
  private place = HOST;

  constructor() {
    for (const name in NUMBERS) this.names.set(NUMBERS[name as Name][ARM ? 1 : 0], name as Name);
  }

  /** The lines for a call with these arguments that returned `value` after so many milliseconds; mostly one or none. */
  of(number: number, words: readonly Word[], value: number, took: number): string[] {
    const name = this.names.get(number);
    if (name === undefined || value === -EINTR) return [];
    const conversation = this.conversations.get(words[0] as number);
    if (conversation !== undefined && name === "sendto")
      return [...conversation.sent(bytesOf(words[1], words[2])), ...failure("send it", value)];
    if (conversation !== undefined && name === "recvfrom")
      return isWhole(words, value) ? conversation.received(bytesOf(words[1], value)) : [];
    const line = this.lineOf(name, words, value);
    const waited = took < LONG ? "" : ` (took ${Math.round(took * 1000)} µs)`;
    if (line !== undefined) return [`${line}${value < 0 ? `: ${errorOf(value)}` : ""}${waited}`];
    return waited === "" || (name !== "ppoll" && name !== "waitid") ? [] : [`wait${waited}`];
  }

  private lineOf(name: Name, [a, b, c, d]: readonly Word[], value: number): string | undefined {
    const of = this.paths.get(a as number) ?? `descriptor ${String(a)}`;
    switch (name) {
      case "openat": {
        const path = textOf(b);
        if (value >= 0) this.paths.set(value, path);
        const flags = c as number;
        const isWritten = (flags & (O.WRONLY | O.RDWR)) !== 0;
        if ((flags & O_TMPFILE) !== 0) return `make a file without a name in ${path}`;
        return `${flags & O.CREAT ? "make or open" : "open"} ${path}${isWritten ? " for writing" : ""}`;
      }
      case "close":
        this.paths.delete(a as number);
        this.conversations.delete(a as number);
        return undefined;
      case "read":
        if (!of.startsWith(SETTINGS) && a !== 0) return undefined;
        return `read ${shown(bytesOf(b, value), a === 0)} from ${of}`;
      case "write":
      case "pwrite64":
        return `write ${shown(bytesOf(b, c), a === 1)} to ${of}`;
      case "renameat":
        return `rename ${textOf(b)} to ${textOf(d)}`;
      case "linkat":
        return `give ${textOf(b)} the name ${textOf(d)}`;
      case "unlinkat":
        return `remove ${textOf(b)}`;
      case "mkdirat":
        return `make the directory ${textOf(b)}`;
      case "ftruncate":
        return `shorten ${of} to ${String(b)} bytes`;
      case "fsetxattr":
        return `set the attribute ${textOf(b)} of ${of}`;
      case "flock":
        return `${LOCKS[(b as number) & ~LOCK_NB] ?? "lock"} ${of}`;
      case "setns":
        this.place = of.startsWith("/proc/") && of.includes("self/") ? HOST : of;
        return `enter the network namespace of ${this.place}`;
      case "socket":
        if (a === AF_NETLINK && value >= 0)
          this.conversations.set(value, new Conversation(this.place, c as number));
        else if (value >= 0) this.paths.set(value, "a socket");
        return undefined;
      case "connect":
        return `connect to ${socketName((b as Uint8Array).subarray(2))}`;
      default:
        return undefined;
    }
  }
}

const errorOf = (value: number): string => {
  const { name, text } = describeErrno(-value);
  return `${text} (${name})`;
};

const failure = (action: string, value: number): string[] =>
  value < 0 ? [`cannot ${action}: ${errorOf(value)}`] : [];

/** Whether a datagram is in the buffer: it was looked at, and fits. */
const isWhole = ([, , size, flags]: readonly Word[], value: number): boolean =>
  value > 0 && value <= (size as number) && ((flags as number) & MSG_PEEK) !== 0;

/** The first bytes of a call's memory. */
function bytesOf(memory: Word, length: Word): Uint8Array {
  const all = memory as Memory;
  const bytes = all instanceof Uint8Array ? all : new Uint8Array(all.buffer, all.byteOffset, all.byteLength);
  return bytes.slice(0, Math.max(0, length as number));
}

const textOf = (memory: Word): string => (memory instanceof Uint8Array ? textIn(memory) : "");

/** A path, or an abstract name, which begins with a NUL, as ss(8) writes it. */
const socketName = (path: Uint8Array): string =>
  path[0] === 0 ? `@${textIn(path.subarray(1))}` : textIn(path);

/** Bytes as text if they are text, else their number. Configuration and answer of the call are shown longer. */
function shown(bytes: Uint8Array, isOfCall: boolean): string {
  const isText = bytes.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
  if (!isText) return `${bytes.length} bytes`;
  const most = isOfCall ? SHOWN_OF_CALL : SHOWN;
  const text = decoder.decode(bytes.subarray(0, most));
  return `${JSON.stringify(text)}${bytes.length > most ? ` and ${bytes.length - most} bytes more` : ""}`;
}
