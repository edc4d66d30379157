/**
 * Netlink, the kernel's protocol for links, addresses, routes and nf_tables: begin here (README.md has an example).
 *
 * - rtnetlink/ and nftables/ say what the objects look like (schemas) and make requests about them. They do no I/O.
 * - encode.ts and decode.ts turn objects into bytes and back, for any schema; bytes.ts is the memory for it.
 * - message.ts puts messages into datagrams; connection.ts sends requests and gathers replies; error.ts has what fails.
 * - socket.ts is the one file that calls the system.
 */
import { Connection } from "./connection.ts";
import { NetlinkSocket, protocol } from "./socket.ts";

export { protocol };

/** A connection in the thread's current network namespace, where it stays. @throws SystemError */
export const connect = (family: (typeof protocol)[keyof typeof protocol]): Connection =>
  new Connection(new NetlinkSocket(family));
