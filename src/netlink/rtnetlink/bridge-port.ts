/** The attributes of a bridge port (IFLA_BRPORT_* of uapi linux/if_link.h), which are in `Link.portData`. */
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { type Fields, FLAG, nest, U8 } from "../schema.ts";

/** BR_STATE_FORWARDING of uapi linux/if_bridge.h: the port passes frames. */
export const FORWARDING = 3;

const PORT = nest([
  // Spanning tree state, 0 disabled to 3 forwarding.
  [1, "state", U8],
  // Frames may leave through the port that they came from.
  [4, "hairpin", FLAG],
  // Isolated ports do not reach each other.
  [33, "isolated", FLAG],
]);

export type BridgePort = Fields<typeof PORT>;

export const encodeBridgePort = (port: BridgePort): Uint8Array => encode(PORT, port);

/** @throws DecodeError */
export const decodeBridgePort = (data: Uint8Array): BridgePort => decode(PORT, data);
