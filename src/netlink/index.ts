/**
 * The entry to netlink, the kernel's protocol for links, addresses, routes and nf_tables. README.md has an example.
 *
 * - rtnetlink/ and nftables/ describe the objects (schemas) and make requests about them. They do no I/O.
 * - encode.ts and decode.ts turn objects into bytes and back, for any schema, in the memory of bytes.ts.
 * - message.ts packs messages into datagrams; connection.ts sends requests and collects replies; error.ts has the errors.
 * - socket.ts is the only file that makes system calls.
 */
import { Connection } from "./connection.ts";
import { NetlinkSocket, protocol } from "./socket.ts";

export { protocol };

/** Opens a connection, which stays in the thread's present network namespace. @throws SystemError */
export const connect = (family: (typeof protocol)[keyof typeof protocol]): Connection =>
  new Connection(new NetlinkSocket(family));
