/**
 * Schema and requests of the VLANs of bridge ports (uapi linux/if_bridge.h): messages of family AF_BRIDGE whose
 * IFLA_AF_SPEC has an entry for each VLAN. A range is two entries, with flags for begin and end.
 */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { DecodeError } from "../error.ts";
import { EACH, type Fields, INLINE, nest, schema, U16, U32 } from "../schema.ts";
import { AF_BRIDGE, LINK_HEADER, LINK_HEADER_SIZE, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK } from "./link.ts";

export const PORT_VLANS = schema(LINK_HEADER_SIZE, LINK_HEADER, [
  // IFLA_AF_SPEC.
  [
    26,
    "",
    INLINE,
    nest([
      [0, "bridgeFlags", U16],
      // struct bridge_vlan_info.
      [
        2,
        "entries",
        EACH,
        schema(
          4,
          [
            [0, "flags", U16],
            [2, "vid", U16],
          ],
          [],
        ),
      ],
    ]),
  ],
  // RTEXT_FILTER_*, in a request.
  [29, "filter", U32],
]);

/** RTEXT_FILTER_BRVLAN: one entry for each VLAN, no ranges. */
const FILTER_VLANS = 2;
const BRIDGE_FLAGS_SELF = 2;

const PVID = 0x2;
const UNTAGGED = 0x4;
const RANGE_BEGIN = 0x8;
const RANGE_END = 0x10;

/** A VLAN, or with `end` a range of them, on a port. */
export interface PortVlan {
  vid: number;
  /** Last VLAN of a range. */
  end?: number;
  /** Incoming untagged frames belong to this VLAN. */
  pvid?: boolean;
  /** Frames of this VLAN leave without a tag. */
  untagged?: boolean;
}

/** Payload of RTM_SETLINK and RTM_DELLINK. `self` addresses the bridge device itself instead of a port. */
export function encodePortVlans(index: number, vlans: readonly PortVlan[], self = false): Uint8Array {
  const entries: NonNullable<Fields<typeof PORT_VLANS>["entries"]>[number][] = [];
  for (const { vid, end, pvid, untagged } of vlans) {
    const flags = (pvid ? PVID : 0) | (untagged ? UNTAGGED : 0);
    if (end === undefined) entries.push({ flags, vid });
    else entries.push({ flags: flags | RANGE_BEGIN, vid }, { flags: flags | RANGE_END, vid: end });
  }
  const bridgeFlags = self ? BRIDGE_FLAGS_SELF : undefined;
  return encode(PORT_VLANS, { family: AF_BRIDGE, index, bridgeFlags, entries });
}

/** A port's VLANs in one message of a dump. Ranges stay ranges. @throws DecodeError */
export function decodePortVlans(payload: Uint8Array): { index: number; vlans: PortVlan[] } {
  const { index, entries = [] } = decode(PORT_VLANS, payload);
  const vlans: PortVlan[] = [];
  let begin: PortVlan | undefined;
  for (const { flags = 0, vid = 0 } of entries) {
    const vlan = { vid, pvid: (flags & PVID) !== 0, untagged: (flags & UNTAGGED) !== 0 };
    const ends = (flags & RANGE_END) !== 0;
    if (ends !== (begin !== undefined)) {
      throw new DecodeError(
        `VLAN ${vid} ${ends ? "ends a range without a beginning" : "is inside an open range"}`,
      );
    }
    if ((flags & RANGE_BEGIN) !== 0) begin = vlan;
    else if (begin === undefined) vlans.push(vlan);
    else {
      vlans.push({ ...begin, end: vid });
      begin = undefined;
    }
  }
  if (begin !== undefined) throw new DecodeError(`the VLAN range from ${begin.vid} has no end`);
  return { index, vlans };
}

const changePortVlans =
  (verb: string, type: number) =>
  (index: number, vlans: readonly PortVlan[], name: string, self = false): Request => ({
    action: `${verb} bridge port ${JSON.stringify(name)}`,
    type,
    flags: 0,
    payload: encodePortVlans(index, vlans, self),
  });

export const addPortVlans = changePortVlans("add VLANs to", RTM_SETLINK);
export const deletePortVlans = changePortVlans("delete VLANs from", RTM_DELLINK);

/** Lists the VLANs of all bridge ports of the namespace. */
export const dumpPortVlans = (): Request => ({
  action: "list VLANs of bridge ports",
  type: RTM_GETLINK,
  flags: 0,
  payload: encode(PORT_VLANS, { family: AF_BRIDGE, filter: FILTER_VLANS }),
});
