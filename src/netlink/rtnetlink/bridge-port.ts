/** What is particular to a bridge's port (IFLA_BRPORT_* of uapi linux/if_link.h), carried in `Link.portData`. */
import { Attributes, encodeAttributes, present, putRaw, putU8, type RawAttribute } from "../attribute.ts";
import type { Request } from "../connection.ts";
import { changeLink } from "./link.ts";

const IFLA_BRPORT_STATE = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;

/** BR_STATE_FORWARDING of uapi linux/if_bridge.h: the port passes frames. */
export const FORWARDING = 3;

export interface BridgePort {
  /** Spanning tree state, 0 disabled to 3 forwarding. */
  state?: number;
  /** Frames may leave through the port that they came in by. */
  hairpin?: boolean;
  /** Isolated ports do not reach each other. */
  isolated?: boolean;
  unknown?: readonly RawAttribute[];
}

export const encodeBridgePort = (port: BridgePort): Uint8Array =>
  encodeAttributes((writer) => {
    putU8(writer, IFLA_BRPORT_STATE, port.state);
    putU8(writer, IFLA_BRPORT_MODE, port.hairpin === undefined ? undefined : Number(port.hairpin));
    putU8(writer, IFLA_BRPORT_ISOLATED, port.isolated === undefined ? undefined : Number(port.isolated));
    putRaw(writer, port.unknown);
  });

/** @throws DecodeError */
export function decodeBridgePort(data: Uint8Array): BridgePort {
  const attributes = new Attributes(data);
  const [hairpin, isolated] = [attributes.u8(IFLA_BRPORT_MODE), attributes.u8(IFLA_BRPORT_ISOLATED)];
  return {
    ...present({
      state: attributes.u8(IFLA_BRPORT_STATE),
      hairpin: hairpin === undefined ? undefined : hairpin !== 0,
      isolated: isolated === undefined ? undefined : isolated !== 0,
    }),
    // Nobody looks at them in an ADD.
    get unknown() {
      return attributes.unread();
    },
  };
}

/** Changes settings of a port that has its master already. */
export function changeBridgePort(index: number, port: BridgePort, name: string): Request {
  const link = { index, portKind: "bridge", portData: encodeBridgePort(port) };
  return changeLink(link, `set bridge port ${JSON.stringify(name)}`);
}
