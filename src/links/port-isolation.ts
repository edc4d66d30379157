/** Isolates ports of a bridge from each other (rule F39): frames between them pass no rule about forwarded packets. */
import { decodeBridgePort, encodeBridgePort } from "../netlink/rtnetlink/bridge-port.ts";
import { changeLink } from "../netlink/rtnetlink/link.ts";
import { findLink, type PresentLink } from "./link.ts";
import { connect } from "./namespaces.ts";

const isIsolatedPort = ({ portData }: PresentLink): boolean =>
  decodeBridgePort(portData ?? new Uint8Array()).isolated === true;

/** Whether an interface is an isolated port of a bridge. */
export function isIsolated(name: string): boolean {
  using host = connect();
  const link = findLink(host, name);
  return link !== undefined && isIsolatedPort(link);
}

/** Isolates ports, or ends their isolation. Names of interfaces that are gone, or are not ports, are ignored. */
export function isolatePorts(names: readonly string[], isolated: boolean): void {
  if (names.length === 0) return;
  using host = connect();
  for (const name of names) {
    const link = findLink(host, name);
    if (link?.portKind !== "bridge" || isIsolatedPort(link) === isolated) continue;
    const { index } = link;
    const portData = encodeBridgePort({ isolated });
    host.call(
      changeLink(
        { index, portKind: "bridge", portData },
        `${isolated ? "isolate" : "end the isolation of"} bridge port ${JSON.stringify(name)}`,
      ),
    );
  }
}
