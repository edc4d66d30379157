/** The two namespaces that an attachment spans, and a netlink connection into each. */
import { CniError, code, toCniError } from "../cni/error.ts";
import type { Connection } from "../netlink/connection.ts";
import { connect as connectTo, protocol } from "../netlink/index.ts";
import { Netns } from "../sys/netns.ts";

/** The container's namespace, and a connection there. */
export interface Inside {
  readonly netns: Netns;
  readonly container: Connection;
}

/** A connection in the thread's current namespace. @throws CniError */
export function connect(): Connection {
  try {
    return connectTo(protocol.route);
  } catch (error) {
    throw toCniError(error).during("cannot open a netlink socket");
  }
}

/** A connection that stays in the container's namespace although the thread does not. @throws CniError */
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

/** Opens CNI_NETNS. @throws CniError code 8 (first of all, so that a bad path leaves nothing behind: G23). */
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
