/** Warns of programs of the host that listen on a published port: they get no connections any more (rules M21, M48). */
import { FAMILIES } from "../../net/ip.ts";
import { describeMapping, type Mapping } from "../../netfilter/portmap/published.ts";
import { PROTOCOLS } from "../../netfilter/rule.ts";
import { NetlinkError } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { decodeSocket, dumpListening, type ListeningSocket } from "../../netlink/sock-diag/socket.ts";
import { SystemError } from "../../sys/errno.ts";
import { holdersOf } from "../../sys/socket-holder.ts";

/**
 * It is only a warning. A runtime that has called the plugin may hold the port itself, to keep others from it: that is not
 * worth a word. A kernel that cannot list sockets gives none.
 */
export function warnOfSockets(mappings: readonly Mapping[], log: (line: string) => void): void {
  try {
    const taken = takenPorts(mappings);
    if (taken.size === 0) return;
    const holders = holdersOf(new Set([...taken.values()].map(({ inode }) => inode)));
    for (const [mapping, { inode }] of taken) {
      const holder = holders.get(inode);
      if (holder?.isAncestor) continue;
      log(
        `host port ${describeMapping(mapping)} now leads to the container: ${holder === undefined ? "a program" : `${holder.program} (process ${holder.pid})`} listens on it and gets no connections any more`,
      );
    }
  } catch (error) {
    if (!(error instanceof NetlinkError || error instanceof SystemError)) throw error;
  }
}

/** The mappings on whose ports a program of the host listens. @throws NetlinkError where the kernel cannot list sockets */
export function takenPorts<M extends Mapping>(mappings: readonly M[]): Map<M, ListeningSocket> {
  using sockets = connect(protocol.sockets);
  const taken = new Map<M, ListeningSocket>();
  for (const name of new Set(mappings.map((mapping) => mapping.protocol))) {
    const own = mappings.filter((mapping) => mapping.protocol === name);
    for (const family of FAMILIES) {
      const found = Map.groupBy(
        sockets.dump(dumpListening(family, PROTOCOLS[name]), decodeSocket),
        ({ port }) => port,
      );
      for (const mapping of own) {
        const socket = found.get(mapping.hostPort)?.find((each) => isTaken(each, mapping));
        if (socket !== undefined) taken.set(mapping, socket);
      }
    }
  }
  return taken;
}

/** Whether it takes the port. A socket of all addresses of IPv6 usually takes IPv4 too, and never the other way round. */
const isTaken = ({ address }: ListeningSocket, { hostIp }: Mapping): boolean =>
  hostIp === undefined ||
  (address.value === 0n && address.family >= hostIp.family) ||
  (address.family === hostIp.family && (hostIp.value === 0n || hostIp.value === address.value));
