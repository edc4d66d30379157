/** O18: system calls in words, where a call of a plugin on a scratch host does not make them. */
import { expect, test } from "bun:test";
import { ARM } from "../../src/sys/syscall.ts";
import { CallWords, NUMBERS } from "../../src/trace/calls.ts";

/** struct sockaddr_un of AF_UNIX. */
const socketAddress = (path: string): Uint8Array => Uint8Array.of(1, 0, ...new TextEncoder().encode(path));

test.each([
  ["/run/dbus/system_bus_socket\0", "connect to /run/dbus/system_bus_socket"],
  ["\0bus", "connect to @bus"],
])("O18: the socket %j", (path, line) => {
  const number = NUMBERS.connect[ARM ? 1 : 0];
  const address = socketAddress(path);
  expect(new CallWords().of(number, [3, address, address.length], 0, 0)).toEqual([line]);
});
