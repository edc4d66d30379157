/** The two namespaces that an attachment spans, and a netlink connection into each. */
import { CniError, code } from "../cni/error.ts";
import { Connection } from "../netlink/connection.ts";
import { NetlinkSocket, protocol } from "../netlink/socket.ts";
import { Netns } from "../sys/netns.ts";

/** A connection in the thread's current namespace. */
export const connect = (): Connection => new Connection(new NetlinkSocket(protocol.route));

/** A connection that stays in the container's namespace although the thread does not. */
export const connectInside = (netns: Netns): Connection => netns.run(connect);

/** Opens CNI_NETNS. @throws CniError code 8 (first of all, so that a bad path leaves nothing behind: G23). */
export function openNetns(path: string): Netns {
  try {
    return Netns.open(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(code.invalidNetns, `failed to open netns ${JSON.stringify(path)}: ${reason}`, "", {
      cause: error,
    });
  }
}
