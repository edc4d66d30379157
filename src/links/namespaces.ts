/** Opens the container's namespace, runs code in it, and opens netlink connections in it and on the host. */
import { CniError, code, toCniError } from "../cni/error.ts";
import type { Connection } from "../netlink/connection.ts";
import { connect as connectTo, protocol } from "../netlink/index.ts";
import { Netns } from "../sys/netns.ts";

/** The container's namespace, and a netlink connection in it. */
export interface Inside {
  readonly netns: Netns;
  readonly container: Connection;
}

/** Opens a connection in the thread's current namespace. @throws CniError */
export function connect(): Connection {
  try {
    return connectTo(protocol.route);
  } catch (error) {
    throw toCniError(error).during("cannot open a netlink socket");
  }
}

/** Opens a connection that stays in the container's namespace after the thread has left it. @throws CniError */
export const connectInside = (netns: Netns): Connection => runInside(netns, connect);

/** Runs synchronous code in the container's namespace. @throws CniError when it can't be entered */
export function runInside<T>(netns: Netns, action: () => T): T {
  let entered = false;
  try {
    return netns.run(() => {
      entered = true;
      return action();
    });
  } catch (error) {
    throw entered ? error : toCniError(error).during(`cannot enter netns ${JSON.stringify(netns.path)}`);
  }
}

/** Opens CNI_NETNS. Called before any change, so that a bad path leaves nothing behind (G23). @throws CniError code 8 */
export function openNetns(path: string): Netns {
  try {
    return Netns.open(path);
  } catch (error) {
    const reason = toCniError(error).message;
    throw new CniError(code.invalidNetns, `failed to open netns ${JSON.stringify(path)}: ${reason}`, "", {
      cause: error,
    });
  }
}
