/** Netlink sockets: the only file here that talks to the system. A socket keeps the namespace that it was opened in. */
import { failedWith } from "../sys/errno.ts";
import * as libc from "../sys/libc.ts";
import { ByteWriter } from "./bytes.ts";
import type { Transport } from "./connection.ts";
import { DecodeError } from "./error.ts";

/** NETLINK_* of uapi linux/netlink.h. */
export const protocol = { route: 0, netfilter: 12 } as const;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;

const int = (value: number): Uint8Array => {
  const writer = new ByteWriter();
  writer.i32(value);
  return writer.finish();
};

export class NetlinkSocket implements Transport {
  readonly #fd: number;
  /** The kernel builds dump datagrams of up to 32 KiB; anything longer makes the buffer grow. */
  #buffer = new Uint8Array(32768);

  /** Opens a socket in the thread's current network namespace; `groups` is a bit mask of multicast groups. */
  constructor(family: number, groups = 0) {
    this.#fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    try {
      for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) this.#enable(option);
      if (groups !== 0) libc.bind(this.#fd, address(groups));
    } catch (error) {
      libc.close(this.#fd);
      throw error;
    }
  }

  /** Kernels before 4.12 and 4.20 lack the options; requests work without them, errors say less. */
  #enable(option: number): void {
    try {
      libc.setsockopt(this.#fd, SOL_NETLINK, option, int(1));
    } catch (error) {
      if (!failedWith(error, "ENOPROTOOPT")) throw error;
    }
  }

  send(datagram: Uint8Array): void {
    const sent = libc.send(this.#fd, datagram, 0);
    if (sent !== datagram.length) throw new DecodeError(`${sent} of ${datagram.length} bytes sent`);
  }

  receive(): Uint8Array {
    for (;;) {
      // MSG_TRUNC gives the true length, MSG_PEEK leaves the datagram there until it is known to fit.
      const length = libc.recv(this.#fd, this.#buffer, MSG_PEEK | MSG_TRUNC);
      if (length <= this.#buffer.length) {
        const datagram = this.#buffer.slice(0, length);
        libc.recv(this.#fd, this.#buffer.subarray(0, 1), MSG_TRUNC | MSG_DONTWAIT);
        return datagram;
      }
      this.#buffer = new Uint8Array(length);
    }
  }

  /** The next datagram, or undefined when none came within `timeout` milliseconds. */
  receiveWithin(timeout: number): Uint8Array | undefined {
    const pollfd = new ByteWriter();
    pollfd.i32(this.#fd);
    pollfd.u16(POLLIN);
    pollfd.u16(0);
    return libc.poll(pollfd.finish(), 1, Math.max(0, Math.ceil(timeout))) === 0 ? undefined : this.receive();
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

/** struct sockaddr_nl: family, padding, port 0 (the kernel picks one), groups. */
function address(groups: number): Uint8Array {
  const writer = new ByteWriter();
  writer.u16(AF_NETLINK);
  writer.u16(0);
  writer.u32(0);
  writer.u32(groups);
  return writer.finish();
}
