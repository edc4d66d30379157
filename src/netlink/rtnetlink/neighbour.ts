/**
 * Neighbour entries, that is ARP and NDP caches (uapi linux/neighbour.h): struct ndmsg { u8 family; u8 pad; u16 pad;
 * i32 index; u16 state; u8 flags; u8 type; } and NDA_* attributes.
 */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { Attributes, present, putBytes, putRaw, type RawAttribute } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { addressFamily, ipOf, putIp } from "./ip-attribute.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

const NDA_DST = 1;
const NDA_LLADDR = 2;

export interface Neighbour {
  /** Interface index. */
  index: number;
  /** AF_*; AF_BRIDGE entries are a bridge's forwarding table and have no address. */
  family: number;
  /** NUD_* bits: 2 reachable, 4 stale, 128 permanent. */
  state: number;
  /** NTF_* bits. */
  flags: number;
  /** RTN_*, 1 unicast; 0 in a request. */
  type: number;
  address?: IpAddress;
  mac?: Uint8Array;
  /** Attributes that the decoder does not know. */
  unknown?: readonly RawAttribute[];
}

export function encodeNeighbour(neighbour: Neighbour): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(neighbour.family);
  writer.u8(0);
  writer.u16(0);
  writer.i32(neighbour.index);
  writer.u16(neighbour.state);
  writer.u8(neighbour.flags);
  writer.u8(neighbour.type);
  putIp(writer, NDA_DST, neighbour.address);
  putBytes(writer, NDA_LLADDR, neighbour.mac);
  putRaw(writer, neighbour.unknown);
  return writer.finish();
}

/** @throws DecodeError */
export function decodeNeighbour(payload: Uint8Array): Neighbour {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  reader.skip(3);
  const [index, state, flags, type] = [reader.i32(), reader.u16(), reader.u8(), reader.u8()];
  const attributes = new Attributes(payload, reader.at);
  return {
    index,
    family,
    state,
    flags,
    type,
    ...present({ address: ipOf(attributes, NDA_DST), mac: attributes.bytes(NDA_LLADDR) }),
    unknown: attributes.unread(),
  };
}

/** Forgets what is known of an address on an interface; ENOENT when nothing is. */
export function deleteNeighbour(index: number, address: IpAddress): Request {
  const family = addressFamily[address.family];
  return {
    action: `delete neighbour ${formatIp(address)} of interface ${index}`,
    type: RTM_DELNEIGH,
    flags: 0,
    payload: encodeNeighbour({ index, family, state: 0, flags: 0, type: 0, address }),
  };
}
