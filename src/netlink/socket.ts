/** Netlink sockets: the only file here that talks to the system. A socket keeps the namespace that it was opened in. */
import { now } from "#engine";
import { timeLeft } from "../sys/deadline.ts";
import { close, isReady, POLLIN } from "../sys/descriptor.ts";
import { ETIMEDOUT, failedWith, SystemError } from "../sys/errno.ts";
import { bind, NETLINK_ADDRESS, recvfrom, send, setsockopt, socket } from "../sys/socket.ts";
import type { Transport } from "./connection.ts";

/** Room for a link. Grows when a datagram does not fit; memory that is not used costs ADD its page faults. */
const FIRST_SIZE = 4096;
/** The longest datagram that the kernel builds for a dump, if the buffers of the calls before had that length. */
const DUMP_DATAGRAM = 32768;

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
const PEEK = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT;
const SOL_SOCKET = 1;
/** Socket buffer sizes: within the system's limit, and beyond it for CAP_NET_ADMIN. */
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
/** Offset of the port in struct sockaddr_nl, four bytes, which are 0 for the kernel. */
const PORT = 4;
/** What the kernel sets aside for a reply is at most about 4 KiB, for a request of at least 32 bytes. It doubles. */
const ROOM_PER_BYTE = 64;
/** Half of net.core.rmem_default, which every socket starts with. */
const INITIAL_ROOM = 106496;
/** Twice of it still fits the kernel's int. */
const MOST_ROOM = 0x3fffffff;

/** The four bytes of a number. */
const int = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

const ON = int(1);

export class NetlinkSocket implements Transport {
  private readonly fd: number;
  private readonly sender = new Uint8Array(NETLINK_ADDRESS);
  private readonly nothing = new Uint8Array(1);
  /** Bytes of `buffer`: asking a typed array for its length costs as much as another system call. */
  private size = FIRST_SIZE;
  private buffer = new Uint8Array(FIRST_SIZE);
  private room = INITIAL_ROOM;

  /**
   * Opens a socket in the thread's current network namespace. `groups` is a bit mask of multicast groups, as
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

  /** Kernels before 4.12 and 4.20 lack the options; requests work without them, errors say less. */
  private enable(option: number): void {
    try {
      setsockopt(this.fd, SOL_NETLINK, option, ON);
    } catch (error) {
      if (!failedWith(error, "ENOPROTOOPT")) throw error;
    }
  }

  /** Hands a datagram to the kernel, which takes it whole or not at all. @throws SystemError */
  send(datagram: Uint8Array): void {
    const { length } = datagram;
    this.makeRoom(length * ROOM_PER_BYTE);
    send(this.fd, datagram, length);
  }

  /** Lets the queues hold a long datagram and all its replies: the kernel drops replies that do not fit (ENOBUFS). */
  private makeRoom(wanted: number): void {
    if (wanted <= this.room) return;
    this.room = wanted;
    const size = int(wanted < MOST_ROOM ? wanted : MOST_ROOM);
    try {
      setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, size);
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, size);
    } catch (error) {
      // In a user namespace of one's own.
      if (!failedWith(error, "EPERM")) throw error;
      setsockopt(this.fd, SOL_SOCKET, SO_SNDBUF, size);
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, size);
    }
  }

  /**
   * The kernel's next datagram, whole. @throws SystemError, ENOBUFS when some before it were lost, ETIMEDOUT when none
   * came before the call's deadline.
   */
  receive(): Uint8Array {
    const datagram = this.take() ?? this.receiveWithin(Number.POSITIVE_INFINITY);
    if (datagram === undefined) throw new SystemError("recvfrom", ETIMEDOUT);
    return datagram;
  }

  /**
   * The kernel's next datagram, or undefined when none came within `timeout` milliseconds or before the call's deadline.
   * @throws SystemError, ENOBUFS when some before it were lost: a listener has to look at the present state then.
   */
  receiveWithin(timeout: number): Uint8Array | undefined {
    const end = now() + timeLeft(timeout);
    for (;;) {
      const left = end - now();
      if (!this.hasDatagram(left > 0 ? left : 0)) return undefined;
      const datagram = this.take();
      if (datagram !== undefined) return datagram;
      // Another process may send without end.
      if (left <= 0) return undefined;
    }
  }

  /** Whether there is a datagram, or comes within so many milliseconds. */
  private hasDatagram(milliseconds: number): boolean {
    return isReady(this.fd, POLLIN, milliseconds);
  }

  /**
   * Takes the first datagram out of the queue, without waiting: the kernel mostly answers while the request is handed
   * over. Undefined if there is none, or if another process sent it: whoever administers a container's network could
   * otherwise answer in the kernel's place.
   */
  private take(): Uint8Array | undefined {
    for (;;) {
      let length: number;
      try {
        // MSG_TRUNC gives the true length, MSG_PEEK leaves the datagram there until it is known to fit.
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
