/** The system bus of D-Bus: finds its socket, logs in and calls methods. Everything waits at most until the call's deadline. */
import { environment } from "#engine";
import { timeLeft } from "../../sys/deadline.ts";
import { close, isReady, POLLIN, read, writeAll } from "../../sys/descriptor.ts";
import { ETIMEDOUT, failedWith, SystemError } from "../../sys/errno.ts";
import { connect, socket } from "../../sys/socket.ts";
import { userId } from "../../sys/user.ts";
import {
  type BusMessage,
  decodeMessage,
  ERROR,
  encodeCall,
  HEADER_LENGTH,
  METHOD_RETURN,
  type MethodCall,
  messageLength,
} from "./message.ts";

/** The bus's own name, which is also its interface. */
export const BUS_NAME = "org.freedesktop.DBus";

/** A method's answer that is an error. */
export class BusError extends Error {
  override readonly name = "BusError";
  /** As "org.freedesktop.DBus.Error.NameHasNoOwner". */
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message);
    this.errorName = errorName;
  }
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** Milliseconds until an answer must have come. */
const MOST_FOR_ANSWER = 10_000;
/** sizeof(sun_path) of uapi linux/un.h. */
const LONGEST_PATH = 108;

/** The addresses of sockets to try: paths; an abstract name begins with a NUL. */
function places(): string[] {
  const address = environment.DBUS_SYSTEM_BUS_ADDRESS || "unix:path=/run/dbus/system_bus_socket";
  return address.split(";").flatMap((each) => {
    const [, kind, text = ""] = /^unix:(?:[^,]*,)*?(path|abstract)=([^,]*)/.exec(each) ?? [];
    if (kind === undefined) return [];
    const name = text.replaceAll(/%([0-9a-f]{2})/gi, (_, digits) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    return kind === "abstract" ? `\0${name}` : name;
  });
}

/** struct sockaddr_un: u16 family, then the path. */
function socketAddress(place: string): Uint8Array {
  const path = new TextEncoder().encode(place.startsWith("\0") ? place : `${place}\0`);
  const bytes = new Uint8Array(2 + path.length);
  bytes[0] = AF_UNIX;
  bytes.set(path, 2);
  return bytes;
}

/** A connection to the system bus. */
export class SystemBus implements Disposable {
  private readonly fd: number;
  private buffer = new Uint8Array(0);
  private serial = 0;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Connects and logs in; undefined if there is no bus. @throws SystemError, BusError if it refuses the login */
  static open(): SystemBus | undefined {
    for (const place of places()) {
      const address = socketAddress(place);
      if (address.length > LONGEST_PATH + 2) continue;
      const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      try {
        connect(fd, address);
      } catch (error) {
        close(fd);
        if (failedWith(error, "ENOENT", "ECONNREFUSED", "EACCES", "ENOTDIR")) continue;
        throw error;
      }
      const bus = new SystemBus(fd);
      try {
        bus.logIn();
        return bus;
      } catch (error) {
        bus[Symbol.dispose]();
        throw error;
      }
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }

  /** Calls a method; the first value that it returns. @throws BusError if its answer is an error; SystemError */
  call(call: MethodCall): BusMessage["value"] {
    const serial = ++this.serial;
    writeAll(this.fd, encodeCall(call, serial));
    for (;;) {
      const length = messageLength(this.take(HEADER_LENGTH, false));
      const message = decodeMessage(this.take(length, true));
      // Signals, and answers to others, are not for us.
      if (message.replySerial !== serial) continue;
      if (message.type === METHOD_RETURN) return message.value;
      if (message.type === ERROR) throw new BusError(message.errorName, String(message.value ?? ""));
    }
  }

  /** The mechanism EXTERNAL: the bus reads this process's user from the socket. */
  private logIn(): void {
    const digits = Array.from(String(userId()), (digit) => `3${digit}`).join("");
    writeAll(this.fd, new TextEncoder().encode(`\0AUTH EXTERNAL ${digits}\r\n`));
    let line = "";
    while (!line.endsWith("\r\n")) line += new TextDecoder().decode(this.take(1, true));
    if (!line.startsWith("OK ")) throw new BusError("", `the system bus refuses the login: ${line.trim()}`);
    writeAll(this.fd, new TextEncoder().encode("BEGIN\r\n"));
    this.call({
      destination: BUS_NAME,
      path: "/org/freedesktop/DBus",
      interface: BUS_NAME,
      member: "Hello",
      texts: [],
    });
  }

  /** The next `count` bytes, which stay in the buffer unless they are taken. */
  private take(count: number, isTaken: boolean): Uint8Array {
    while (this.buffer.length < count) {
      if (!isReady(this.fd, POLLIN, timeLeft(MOST_FOR_ANSWER)))
        throw new SystemError("read", ETIMEDOUT, "the system bus");
      const more = new Uint8Array(4096);
      const length = read(this.fd, more);
      if (length === 0) throw new BusError("", "the system bus has closed the connection");
      const all = new Uint8Array(this.buffer.length + length);
      all.set(this.buffer);
      all.set(more.subarray(0, length), this.buffer.length);
      this.buffer = all;
    }
    const taken = this.buffer.slice(0, count);
    if (isTaken) this.buffer = this.buffer.slice(count);
    return taken;
  }
}
