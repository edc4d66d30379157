/**
 * Schema and requests of the host's sockets: struct inet_diag_req_v2 and inet_diag_msg of uapi linux/inet_diag.h. Both have
 * the sockets' ends in the middle: be16 ports, two addresses of 16 bytes, an interface and a cookie.
 */
import { type Family, type IpAddress, ipFromBytes } from "../../net/ip.ts";
import type { Request } from "../connection.ts";
import { encode } from "../encode.ts";
import { DecodeError } from "../error.ts";
import { addressFamily } from "../ip-attribute.ts";
import type { Message } from "../message.ts";
import { schema, U8, U32 } from "../schema.ts";

/** SOCK_DIAG_BY_FAMILY of uapi linux/sock_diag.h. */
export const SOCKET = 20;

const REQUEST = schema(
  56,
  [
    [0, "family", U8],
    [1, "protocol", U8],
    // Bits of the states of include/net/tcp_states.h.
    [4, "states", U32],
  ],
  [],
);

/** TCP_LISTEN. */
const LISTEN = 1 << 10;
/** TCP_CLOSE, the state of a datagram socket that is not connected. */
const CLOSE = 1 << 7;
/** IPPROTO_TCP. */
const TCP = 6;

/**
 * Lists sockets that take connections or datagrams from anyone; ENOENT when the kernel cannot list this protocol. Of TCP no
 * state but TCP_LISTEN is asked for: with any other the kernel walks its whole table of connections, for milliseconds.
 */
export const dumpListening = (family: Family, protocol: number): Request => ({
  action: `list sockets of protocol ${protocol}`,
  type: SOCKET,
  flags: 0,
  payload: encode(REQUEST, {
    ...{ family: addressFamily[family], protocol },
    states: protocol === TCP ? LISTEN : LISTEN | CLOSE,
  }),
});

/** A socket, and the inode number by which /proc/PID/fd shows it. */
export interface ListeningSocket {
  readonly address: IpAddress;
  readonly port: number;
  readonly inode: number;
}

/** Offsets in struct inet_diag_msg. */
const AT = { port: 4, address: 8, inode: 68, end: 72 } as const;

/** @throws DecodeError */
export function decodeSocket({ payload }: Message): ListeningSocket {
  if (payload.length < AT.end) throw new DecodeError(`a socket of ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const length = payload[0] === addressFamily[4] ? 4 : 16;
  const address = ipFromBytes(payload.subarray(AT.address, AT.address + length));
  if (address === undefined) throw new DecodeError("a socket without an address");
  return { address, port: view.getUint16(AT.port), inode: view.getUint32(AT.inode, true) };
}
