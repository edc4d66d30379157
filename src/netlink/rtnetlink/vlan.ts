/**
 * VLANs of a bridge's ports (uapi linux/if_bridge.h): messages of family AF_BRIDGE whose IFLA_AF_SPEC holds
 * struct bridge_vlan_info { u16 flags; u16 vid; } entries. A range is two entries, marked begin and end.
 */
import { Attributes, attributeType, putAttribute, putNested, putU16, putU32 } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { DecodeError } from "../error.ts";
import {
  AF_BRIDGE,
  IFLA_AF_SPEC,
  IFLA_EXT_MASK,
  putLink,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_SETLINK,
} from "./link.ts";

/** For IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN: one entry for each VLAN, no ranges. */
const FILTER_VLANS = 2;
const IFLA_BRIDGE_FLAGS = 0;
const IFLA_BRIDGE_VLAN_INFO = 2;
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
  /** Untagged frames that come in belong to this VLAN. */
  pvid?: boolean;
  /** Frames of this VLAN leave without a tag. */
  untagged?: boolean;
}

const flagsOf = (vlan: PortVlan): number => (vlan.pvid ? PVID : 0) | (vlan.untagged ? UNTAGGED : 0);

function putVlan(writer: ByteWriter, flags: number, vid: number): void {
  putAttribute(writer, IFLA_BRIDGE_VLAN_INFO, (body) => {
    body.u16(flags);
    body.u16(vid);
  });
}

/** Payload of RTM_SETLINK and RTM_DELLINK. `self` addresses the bridge device itself instead of a port. */
export function encodePortVlans(index: number, vlans: readonly PortVlan[], self = false): Uint8Array {
  const writer = new ByteWriter();
  putLink(writer, { family: AF_BRIDGE, index });
  putNested(writer, IFLA_AF_SPEC, (spec) => {
    putU16(spec, IFLA_BRIDGE_FLAGS, self ? BRIDGE_FLAGS_SELF : undefined);
    for (const vlan of vlans) {
      if (vlan.end === undefined) putVlan(spec, flagsOf(vlan), vlan.vid);
      else {
        putVlan(spec, flagsOf(vlan) | RANGE_BEGIN, vlan.vid);
        putVlan(spec, flagsOf(vlan) | RANGE_END, vlan.end);
      }
    }
  });
  return writer.finish();
}

/** A port's VLANs out of one message of a dump; ranges stay ranges. @throws DecodeError */
export function decodePortVlans(payload: Uint8Array): { index: number; vlans: PortVlan[] } {
  const reader = new ByteReader(payload);
  reader.skip(4);
  const index = reader.i32();
  reader.skip(8);
  const vlans: PortVlan[] = [];
  let begin: PortVlan | undefined;
  for (const attribute of new Attributes(payload, reader.at).nested(IFLA_AF_SPEC)?.list() ?? []) {
    if (attributeType(attribute) !== IFLA_BRIDGE_VLAN_INFO) continue;
    const entry = new ByteReader(attribute.payload);
    const [flags, vid] = [entry.u16(), entry.u16()];
    const vlan = { vid, pvid: (flags & PVID) !== 0, untagged: (flags & UNTAGGED) !== 0 };
    const ends = (flags & RANGE_END) !== 0;
    if (ends !== (begin !== undefined)) {
      throw new DecodeError(
        `VLAN ${vid} ${ends ? "ends a range without a beginning" : "stands in an open range"}`,
      );
    }
    if ((flags & RANGE_BEGIN) !== 0) begin = vlan;
    else if (begin === undefined) vlans.push(vlan);
    else {
      vlans.push({ ...begin, end: vid });
      begin = undefined;
    }
  }
  if (begin !== undefined) throw new DecodeError(`a VLAN range that begins at ${begin.vid} without an end`);
  return { index, vlans };
}

export function addPortVlans(index: number, vlans: readonly PortVlan[], name: string, self = false): Request {
  return {
    action: `add VLANs to bridge port ${JSON.stringify(name)}`,
    type: RTM_SETLINK,
    flags: 0,
    payload: encodePortVlans(index, vlans, self),
  };
}

export function deletePortVlans(
  index: number,
  vlans: readonly PortVlan[],
  name: string,
  self = false,
): Request {
  return {
    action: `delete VLANs from bridge port ${JSON.stringify(name)}`,
    type: RTM_DELLINK,
    flags: 0,
    payload: encodePortVlans(index, vlans, self),
  };
}

/** Asks for the VLANs of all ports of all bridges of the namespace. */
export function dumpPortVlans(): Request {
  const writer = new ByteWriter();
  putLink(writer, { family: AF_BRIDGE });
  putU32(writer, IFLA_EXT_MASK, FILTER_VLANS);
  return { action: "list VLANs of bridge ports", type: RTM_GETLINK, flags: 0, payload: writer.finish() };
}
