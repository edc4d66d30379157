/** Schema and requests of neighbour entries (ARP and NDP): struct ndmsg and NDA_* of uapi linux/neighbour.h. */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import type { Request } from "../connection.ts";
import { encode } from "../encode.ts";
import { addressFamily, IP } from "../ip-attribute.ts";
import { BYTES, CUSTOM, S32, schema, U8, U16 } from "../schema.ts";

const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

export const NEIGHBOUR = schema(
  12,
  [
    // AF_BRIDGE entries are a bridge's forwarding table and have no address.
    [0, "family", U8],
    [4, "index", S32],
    // NUD_* bits: 2 reachable, 4 stale, 128 permanent.
    [8, "state", U16],
    // NTF_* bits.
    [10, "flags", U8],
    // RTN_*: 1 unicast; 0 in a request.
    [11, "type", U8],
  ],
  [
    [1, "address", CUSTOM, IP],
    [2, "mac", BYTES],
  ],
);

/** Deletes the entry of an address on an interface; ENOENT when it does not exist. */
export const deleteNeighbour = (index: number, address: IpAddress): Request => ({
  action: `delete neighbour ${formatIp(address)} of interface ${index}`,
  type: RTM_DELNEIGH,
  flags: 0,
  payload: encode(NEIGHBOUR, { index, family: addressFamily[address.family], address }),
});

/** Lists the entries of both families. */
export const dumpNeighbours = (): Request => ({
  action: "list neighbours",
  type: RTM_GETNEIGH,
  flags: 0,
  payload: encode(NEIGHBOUR, { family: 0 }),
});
