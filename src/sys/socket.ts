/** System calls on sockets. All errors are SystemError. */
import { call } from "./syscall.ts";

export function socket(domain: number, type: number, protocol: number): number {
  return call("socket", 41, 198, undefined, domain, type, protocol);
}

export function bind(fd: number, address: Uint8Array): void {
  call("bind", 49, 200, undefined, fd, address, address.length);
}

export function connect(fd: number, address: Uint8Array): void {
  call("connect", 42, 203, undefined, fd, address, address.length);
}

export function setsockopt(fd: number, level: number, option: number, value: Uint8Array): void {
  call("setsockopt", 54, 208, undefined, fd, level, option, value, value.length);
}

export function getsockopt(fd: number, level: number, option: number, value: Uint8Array): void {
  call("getsockopt", 55, 209, undefined, fd, level, option, value, Uint32Array.of(value.length));
}

/** Sends the first `length` bytes. */
export function send(fd: number, bytes: Uint8Array, length: number): void {
  call("sendto", 44, 206, undefined, fd, bytes, length);
}

/** Bytes of struct sockaddr_nl (uapi linux/netlink.h): u16 family, u16 padding, u32 port, u32 groups. */
export const NETLINK_ADDRESS = 12;
const senderLength = new Uint32Array(1);

/**
 * Receives at most `length` bytes into `buffer` and returns the datagram's length. The sender's netlink address is written
 * into `sender`, of NETLINK_ADDRESS bytes. Lengths are passed, since reading an array's length costs as much as the call.
 */
export function recvfrom(
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
  sender: Uint8Array,
): number {
  senderLength[0] = NETLINK_ADDRESS;
  return call("recvfrom", 45, 207, undefined, fd, buffer, length, flags, sender, senderLength);
}
