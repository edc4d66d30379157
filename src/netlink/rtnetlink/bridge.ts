/** The attributes of a bridge (IFLA_BR_* of uapi linux/if_link.h), which are in `Link.data`. */
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { type Fields, FLAG, nest, U16, U32 } from "../schema.ts";

const BRIDGE = nest([
  // Hundredths of a second that a port listens, and again that it learns, under the spanning tree protocol.
  [1, "forwardDelay", U32],
  [7, "vlanFiltering", FLAG],
  // The untagged VLAN of new ports; 0 for none.
  [39, "vlanDefaultPvid", U16],
]);

export type BridgeOptions = Fields<typeof BRIDGE>;

export const encodeBridge = (options: BridgeOptions): Uint8Array => encode(BRIDGE, options);

/** @throws DecodeError */
export const decodeBridge = (data: Uint8Array): BridgeOptions => decode(BRIDGE, data);
