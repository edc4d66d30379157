/** What is particular to a bridge (IFLA_BR_* of uapi linux/if_link.h), carried in `Link.data`. */
import {
  Attributes,
  encodeAttributes,
  present,
  putRaw,
  putU8,
  putU16,
  putU32,
  type RawAttribute,
} from "../attribute.ts";

const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_BR_VLAN_DEFAULT_PVID = 39;

export interface BridgeOptions {
  /** Hundredths of a second that a port listens, and again that it learns, under the spanning tree protocol. */
  forwardDelay?: number;
  vlanFiltering?: boolean;
  /** The VLAN that new ports get untagged; 0 for none. */
  vlanDefaultPvid?: number;
  unknown?: readonly RawAttribute[];
}

export const encodeBridge = (options: BridgeOptions): Uint8Array =>
  encodeAttributes((writer) => {
    putU32(writer, IFLA_BR_FORWARD_DELAY, options.forwardDelay);
    putU8(writer, IFLA_BR_VLAN_FILTERING, asU8(options.vlanFiltering));
    putU16(writer, IFLA_BR_VLAN_DEFAULT_PVID, options.vlanDefaultPvid);
    putRaw(writer, options.unknown);
  });

/** @throws DecodeError */
export function decodeBridge(data: Uint8Array): BridgeOptions {
  const attributes = new Attributes(data);
  const vlanFiltering = attributes.u8(IFLA_BR_VLAN_FILTERING);
  return {
    ...present({
      forwardDelay: attributes.u32(IFLA_BR_FORWARD_DELAY),
      vlanFiltering: vlanFiltering === undefined ? undefined : vlanFiltering !== 0,
      vlanDefaultPvid: attributes.u16(IFLA_BR_VLAN_DEFAULT_PVID),
    }),
    unknown: attributes.unread(),
  };
}

const asU8 = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);
