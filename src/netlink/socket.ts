/** Netlink sockets: the only file here that makes system calls. A socket stays in the namespace where it was opened. */
import { now } from "#engine";
import { timeLeft } from "../sys/deadline.ts";
import { close, isReady, POLLIN } from "../sys/descriptor.ts";
import { ETIMEDOUT, failedWith, SystemError } from "../sys/errno.ts";
import { bind, NETLINK_ADDRESS, recvfrom, send, setsockopt, socket } from "../sys/socket.ts";
import type { Transport } from "./connection.ts";

/** Enough for a link; grows when a datagram does not fit. A larger buffer would cost ADD page faults. */
const FIRST_SIZE = 4096;
/** The longest datagram of a dump, which the kernel sends to a reader whose earlier buffers had this length. */
const DUMP_DATAGRAM = 32768;
/** After so many datagrams that fill more than half of the first buffer, a dump is taken for a long one. */
const LONG_DUMP = 4;

/** NETLINK_* of uapi linux/netlink.h. */
export const protocol = { route: 0, sockets: 4, netfilter: 12 } as const;

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
const PEEK = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT;
const SOL_SOCKET = 1;
/** Socket buffer sizes. The FORCE options, which need CAP_NET_ADMIN, may exceed the system's limit. */
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
/** Offset of the port in struct sockaddr_nl: four bytes, 0 for the kernel. */
const PORT = 4;
/** A reply uses about 4 KiB at most, for a request of 32 bytes or more. The kernel doubles the size that is set. */
const ROOM_PER_BYTE = 64;
/** Half of net.core.rmem_default, the size at the start. */
const INITIAL_ROOM = 106496;
/** Doubled, it still fits the kernel's int. */
const MOST_ROOM = 0x3fffffff;

/** The four bytes of a number. */
const int = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

const ON = int(1);

export class NetlinkSocket implements Transport {
  private readonly fd: number;
  private readonly sender = new Uint8Array(NETLINK_ADDRESS);
  private readonly nothing = new Uint8Array(1);
  /** Size of `buffer`, since a typed array's `length` costs as much as another system call. */
  private size = FIRST_SIZE;
  private buffer = new Uint8Array(FIRST_SIZE);
  private room = INITIAL_ROOM;
  /** Number of datagrams that filled more than half of the first buffer. */
  private long = 0;

  /**
   * Opens a socket in the thread's current network namespace. `groups` is a bit mask of multicast groups, such as
   * LINK_EVENTS of rtnetlink/link.ts. @throws SystemError
   */
  constructor(family: number, groups = 0) {
    this.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    try {
      for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) this.enable(option);
      if (groups !== 0) bind(this.fd, address(groups));
    } catch (error) {
      close(this.fd);
      throw error;
    }
  }

  /** Kernels before 4.12 and 4.20 lack some options. Requests work without them, but errors have fewer details. */
  private enable(option: number): void {
    try {
      setsockopt(this.fd, SOL_NETLINK, option, ON);
    } catch (error) {
      if (!failedWith(error, "ENOPROTOOPT")) throw error;
    }
  }

  /** Sends a datagram to the kernel, which takes all of it or nothing. @throws SystemError */
  send(datagram: Uint8Array): void {
    const { length } = datagram;
    this.makeRoom(length * ROOM_PER_BYTE);
    send(this.fd, datagram, length);
  }

  /** Enlarges the queues for a long datagram and its replies. The kernel drops replies that do not fit (ENOBUFS). */
  private makeRoom(wanted: number): void {
    if (wanted <= this.room) return;
    this.room = wanted;
    const size = int(wanted < MOST_ROOM ? wanted : MOST_ROOM);
    try {
      setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, size);
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, size);
    } catch (error) {
      // No CAP_NET_ADMIN in the initial user namespace.
      if (!failedWith(error, "EPERM")) throw error;
      setsockopt(this.fd, SOL_SOCKET, SO_SNDBUF, size);
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, size);
    }
  }

  /**
   * The kernel's next datagram, complete. @throws SystemError, ENOBUFS when earlier datagrams were lost, ETIMEDOUT when none
   * arrived before the call's deadline.
   */
  receive(): Uint8Array {
    const datagram = this.take() ?? this.receiveWithin(Number.POSITIVE_INFINITY);
    if (datagram === undefined) throw new SystemError("recvfrom", ETIMEDOUT);
    return datagram;
  }

  /**
   * The kernel's next datagram, or undefined when none arrived within `timeout` milliseconds or before the call's deadline.
   * @throws SystemError, ENOBUFS when earlier datagrams were lost: then a listener must read the present state.
   */
  receiveWithin(timeout: number): Uint8Array | undefined {
    const end = now() + timeLeft(timeout);
    for (;;) {
      const left = end - now();
      if (!this.hasDatagram(left > 0 ? left : 0)) return undefined;
      const datagram = this.take();
      if (datagram !== undefined) return datagram;
      // Checked here too, since another process may send endlessly.
      if (left <= 0) return undefined;
    }
  }

  /** Whether a datagram is there or arrives within so many milliseconds. */
  private hasDatagram(milliseconds: number): boolean {
    return isReady(this.fd, POLLIN, milliseconds);
  }

  /**
   * Takes the first datagram from the queue without waiting, since the kernel mostly answers during send(). Returns undefined
   * if there is none or if a process sent it: an administrator of a container's network could otherwise forge the kernel's
   * answers.
   */
  private take(): Uint8Array | undefined {
    for (;;) {
      let length: number;
      try {
        // MSG_TRUNC returns the true length. MSG_PEEK keeps the datagram in the queue, in case it does not fit.
        length = recvfrom(this.fd, this.buffer, this.size, PEEK, this.sender);
      } catch (error) {
        if (failedWith(error, "EAGAIN")) return undefined;
        throw error;
      }
      if (length > this.size) {
        this.size = length > DUMP_DATAGRAM ? length : DUMP_DATAGRAM;
        this.buffer = new Uint8Array(this.size);
        continue;
      }
      const datagram = this.buffer.slice(0, length);
      // Of a dump in short datagrams the kernel passes over all earlier objects for each.
      if (2 * length > FIRST_SIZE && ++this.long === LONG_DUMP && this.size < DUMP_DATAGRAM) {
        this.size = DUMP_DATAGRAM;
        this.buffer = new Uint8Array(DUMP_DATAGRAM);
      }
      recvfrom(this.fd, this.nothing, 1, MSG_TRUNC | MSG_DONTWAIT, this.sender);
      const { sender } = this;
      const hasPort = sender[PORT] || sender[PORT + 1] || sender[PORT + 2] || sender[PORT + 3];
      return hasPort ? undefined : datagram;
    }
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}

/** struct sockaddr_nl { u16 family; u16 pad; u32 port; u32 groups; }, whose port 0 lets the kernel pick one. */
const address = (groups: number): Uint8Array => Uint8Array.of(...int(AF_NETLINK), ...int(0), ...int(groups));
