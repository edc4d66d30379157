/** The ports of a bridge. */
import type { Connection } from "../../netlink/connection.ts";
import { decodeLink, dumpLinks } from "../../netlink/rtnetlink/link.ts";

/** All ports of the bridge, with what matters of them here. */
export const portsOf = (host: Connection, bridge: { index: number }) =>
  host.dump(dumpLinks({ master: bridge.index }), ({ payload }) => {
    const { index = 0, name = "", mtu = 0, master } = decodeLink(payload);
    // Kernels without the filter send all links.
    return master === bridge.index ? { index, name, mtu } : undefined;
  });
